//! The head of a request: RFC 9112 sections 2, 3, 5, 6 and 9.

use super::authority::{self, Authority};
use super::{Broken, ascii, field_line, is_token, members};
use evloop_http::Limits;

/// A head that may be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact about the head, and a head may state them all")]
pub(crate) struct Head {
    pub(crate) consumed: usize,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) authority: String,
    pub(crate) is_http11: bool,
    /// Names in small letters.
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) body: Body,
    pub(crate) keep_alive: bool,
    /// Waits for `100 Continue`.
    pub(crate) waits: bool,
    /// Would go on in another protocol.
    pub(crate) upgrade: bool,
}

/// How long the body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    None,
    Length(u64),
    Chunked,
}

/// All that there is to say about some input as the beginning of a request.
#[derive(Debug)]
pub(crate) struct Reading {
    /// The empty line that ends a head has come.
    pub(crate) is_whole: bool,
    /// Every rule that is broken. Which one a recipient sees first is its own affair.
    pub(crate) broken: Vec<Broken>,
    /// What it says, if it is whole and breaks no rule.
    pub(crate) head: Option<Head>,
}

/// Reads a head. Of one that is not whole nothing is said but that.
pub(crate) fn read(input: &[u8], limits: &Limits) -> Reading {
    // A server should ignore at least one empty line before the request line (2.2). We ignore one.
    let text = input.strip_prefix(b"\r\n").unwrap_or(input);
    let mut rules = Rules::default();
    let Some((lines, rest)) = lines(text, &mut rules) else {
        return Reading { is_whole: false, broken: Vec::new(), head: None };
    };
    let consumed = input.len() - rest.len();
    rules.hold(consumed <= limits.head_bytes_max, 431, "9110 5.4: the head has its limit");
    let head = head(consumed, &lines, limits, &mut rules);
    let broken = rules.broken;
    Reading { is_whole: true, head: head.filter(|_| broken.is_empty()), broken }
}

/// The rules that were found broken so far.
#[derive(Default)]
struct Rules {
    broken: Vec<Broken>,
}

impl Rules {
    fn hold(&mut self, holds: bool, status: u16, rule: &'static str) {
        if !holds {
            self.broken.push(Broken { status, rule });
        }
    }
}

/// The lines before the first empty one, and what follows that; none if it has not come.
fn lines<'a>(mut text: &'a [u8], rules: &mut Rules) -> Option<(Vec<&'a [u8]>, &'a [u8])> {
    let mut lines = Vec::new();
    loop {
        let end = text.iter().position(|&byte| byte == b'\n')?;
        // A recipient may take a single LF for a line's end, and must not take a bare CR for anything but an error (2.2).
        // We refuse both.
        let line = text[..end].strip_suffix(b"\r");
        rules.hold(line.is_some(), 400, "2.2: a line ends with CR LF");
        let line = line.unwrap_or(&text[..end]);
        rules.hold(!line.contains(&b'\r'), 400, "2.2: no bare CR");
        text = &text[end + 1..];
        if line.is_empty() && !lines.is_empty() {
            return Some((lines, text));
        }
        lines.push(line);
    }
}

fn head(consumed: usize, lines: &[&[u8]], limits: &Limits, rules: &mut Rules) -> Option<Head> {
    let line = request_line(lines[0], limits, rules);
    let fields = fields(&lines[1..], limits, rules);
    let RequestLine { method, target, form, is_http11 } = line?;

    let host = host(&fields, is_http11, rules);
    let (named, path, query) = match &form {
        Form::Origin { path, query } => (None, path.clone(), query.clone()),
        Form::Absolute { authority, path, query } => (Some(authority), path.clone(), query.clone()),
        Form::Authority => (Some(&target), String::new(), None),
        Form::Asterisk => (None, "*".to_owned(), None),
    };
    // An authority in the target takes the place of Host (3.2.2); Host is empty where the target URI has none (3.2).
    let is_contradiction = named.is_some() && host.as_deref() == Some("");
    rules.hold(!is_contradiction, 400, "3.2: Host is empty only if the target has no authority");
    let authority = named.cloned().or(host).unwrap_or_default();

    let body = body(&method, is_http11, &fields, limits, rules);
    let options = values(&fields, "connection").flat_map(members).collect::<Vec<_>>();
    let has_option = |option: &str| options.iter().any(|found| found.eq_ignore_ascii_case(option.as_bytes()));
    // Section 9.3, where Proxy-Connection is nothing that a server looks at.
    let keep_alive = !has_option("close") && (is_http11 || has_option("keep-alive"));
    let waits = expectation(&fields, is_http11, rules) && !matches!(body, Body::None | Body::Length(0));
    // A server must ignore an Upgrade of HTTP/1.0 (9110 section 7.8).
    let upgrade = is_http11 && has_option("upgrade");
    Some(Head { consumed, method, target, path, query, authority, is_http11, fields, body, keep_alive, waits, upgrade })
}

struct RequestLine {
    method: String,
    target: String,
    form: Form,
    is_http11: bool,
}

/// `request-line = method SP request-target SP HTTP-version` (3). A recipient may split at other white space, and we
/// do not.
fn request_line(line: &[u8], limits: &Limits, rules: &mut Rules) -> Option<RequestLine> {
    rules.hold(line.len() <= limits.request_line_bytes_max, 414, "3: the request line has its limit");
    let words = line.splitn(3, |&byte| byte == b' ').collect::<Vec<_>>();
    let [method, target, version] = words[..] else {
        rules.hold(false, 400, "3: a request line has three words");
        return None;
    };
    rules.hold(is_token(method), 400, "3.1: a method is a token");
    // HTTP-version = HTTP-name "/" DIGIT "." DIGIT (2.3). A higher minor version should be read as 1.1 (9110 section 6.2).
    let is_http1 = matches!(version, [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor] if minor.is_ascii_digit());
    rules.hold(is_http1, 400, "2.3: the version is HTTP/1 and a minor one");
    let is_http11 = is_http1 && version != b"HTTP/1.0";
    let is_other = matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor, ..]
        if major.is_ascii_digit() && minor.is_ascii_digit() && *major != b'1');
    rules.hold(!is_other, 505, "9110 15.6.6: the version is one that we speak");
    // The grammar of RFC 3986 knows still fewer, but browsers send others, so all that is visible is taken. A fragment is
    // no part of a target (9110 section 7.1).
    let is_visible = !target.is_empty() && target.iter().all(|&byte| byte.is_ascii_graphic() && byte != b'#');
    rules.hold(is_visible, 400, "3.2: a target is visible characters");
    if !is_visible || !is_token(method) {
        return None;
    }
    let (method, target) = (ascii(method), ascii(target));
    let form = form(&method, &target);
    rules.hold(form.is_some(), 400, "3.2: the target has a form that its method allows");
    Some(RequestLine { form: form?, method, target, is_http11 })
}

/// The forms of a target (3.2).
enum Form {
    Origin { path: String, query: Option<String> },
    Absolute { authority: String, path: String, query: Option<String> },
    Authority,
    Asterisk,
}

fn form(method: &str, target: &str) -> Option<Form> {
    if method == "CONNECT" {
        // authority-form = uri-host ":" port (3.2.3): there is no port by default, and no host.
        // A port that cannot be is to be rejected (9110 section 9.3.6).
        let Authority { host, port } = authority::read(target)?;
        let port = port?.trim_start_matches('0').to_owned();
        let is_port = !port.is_empty() && port.len() <= 5 && port.parse::<u32>().is_ok_and(|port| port < 65_536);
        return (!host.is_empty() && is_port).then_some(Form::Authority);
    }
    if target == "*" {
        return (method == "OPTIONS").then_some(Form::Asterisk); // 3.2.4
    }
    let split = |text: &str| match text.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (text.to_owned(), None),
    };
    if target.starts_with('/') {
        let (path, query) = split(target);
        return Some(Form::Origin { path, query }); // 3.2.1
    }
    // absolute-form (3.2.2), of the scheme that this could be the origin of: https must be rejected where the connection
    // is not secured (9110 section 7.4). A scheme has no case (RFC 3986 3.1).
    let (scheme, rest) = target.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") {
        return None;
    }
    let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    // A recipient must reject an http URI with an empty host (9110 section 4.2.1).
    authority::read(authority).filter(|authority| !authority.host.is_empty())?;
    let (path, query) = split(rest);
    // An empty path is "/" (9110 section 4.2.3), but "*" where a proxy had to spell out "OPTIONS *" (3.2.4).
    let implied = if method == "OPTIONS" && query.is_none() { "*" } else { "/" };
    let path = if path.is_empty() { implied.to_owned() } else { path };
    Some(Form::Absolute { authority: authority.to_owned(), path, query })
}

type Fields = Vec<(String, Vec<u8>)>;

fn fields(lines: &[&[u8]], limits: &Limits, rules: &mut Rules) -> Fields {
    let count_max = limits.header_count_max.min(Limits::HEADER_COUNT_CEILING);
    rules.hold(lines.len() <= count_max, 431, "9110 5.4: the fields have their limit");
    let mut fields = Vec::new();
    for line in lines {
        match field_line(line) {
            Some((name, value)) => fields.push((ascii(name).to_lowercase(), value.to_vec())),
            None => rules.hold(false, 400, "5: a field line is a token, a colon and text"),
        }
    }
    fields
}

fn values<'a>(fields: &'a Fields, name: &str) -> impl Iterator<Item = &'a [u8]> {
    fields.iter().filter(move |field| field.0 == name).map(|field| &field.1[..])
}

/// What Host says. A server must answer 400 to HTTP/1.1 without it, and to any request with two or an invalid one (3.2).
fn host(fields: &Fields, is_http11: bool, rules: &mut Rules) -> Option<String> {
    let hosts = values(fields, "host").collect::<Vec<_>>();
    rules.hold(hosts.len() <= 1, 400, "3.2: Host is there once");
    rules.hold(!is_http11 || !hosts.is_empty(), 400, "3.2: Host is there in HTTP/1.1");
    let text = str::from_utf8(hosts.first()?).unwrap_or("\u{fffd}");
    let read = authority::read(text);
    // Empty as a whole, or with a name: 9110 section 4.2.1 knows no port without a host.
    let is_valid = read.is_some_and(|authority| text.is_empty() || !authority.host.is_empty());
    rules.hold(is_valid, 400, "3.2: Host is an authority");
    Some(text.to_owned())
}

/// How long the body is (6.3). What that section would repair, the twin refuses.
fn body(method: &str, is_http11: bool, fields: &Fields, limits: &Limits, rules: &mut Rules) -> Body {
    let codings = values(fields, "transfer-encoding").collect::<Vec<_>>();
    let lengths = values(fields, "content-length").collect::<Vec<_>>();
    // A server may refuse both together, and must close where it does not (6.3, rule 3).
    rules.hold(codings.is_empty() || lengths.is_empty(), 400, "6.3: not both ways of framing");
    // The body of a CONNECT means nothing (9110 section 9.3.6): one that is announced may be taken for the tunnel's.
    let is_framed = !codings.is_empty() || !lengths.is_empty();
    rules.hold(method != "CONNECT" || !is_framed, 400, "9110 9.3.6: no body for CONNECT");
    rules.hold(method != "TRACE" || !is_framed, 400, "9110 9.3.8: no body for TRACE");

    if !codings.is_empty() {
        rules.hold(is_http11, 400, "6.1: no Transfer-Encoding in HTTP/1.0");
        // Several lines are one list (9110 section 5.3), but not all read them so.
        rules.hold(codings.len() == 1, 400, "6.1: Transfer-Encoding is there once");
        for coding in codings {
            let members = members(coding);
            let is_chunked = |member: &[u8]| member.eq_ignore_ascii_case(b"chunked");
            let is_last = members.last().is_some_and(|last| is_chunked(last));
            let chunks = members.iter().filter(|member| is_chunked(member)).count();
            rules.hold(members.iter().all(|member| !member.is_empty()), 400, "9110 5.6.1: no empty member");
            rules.hold(is_last, 400, "6.3: chunked is the last coding");
            rules.hold(chunks <= 1, 400, "6.1: chunked is applied once");
            rules.hold(chunks == members.len(), 501, "6.1: no coding that is not understood");
        }
        return Body::Chunked;
    }
    // Content-Length = 1*DIGIT (6.2). Equal values may be taken for one (6.3, rule 5), and are not.
    rules.hold(lengths.len() <= 1, 400, "6.3: Content-Length is there once");
    let mut body = Body::None;
    for length in lengths {
        let is_digits = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
        // A recipient must see to it that large numbers do not overflow (6.2).
        let number = str::from_utf8(length).ok().filter(|_| is_digits).and_then(|digits| digits.parse().ok());
        rules.hold(number.is_some(), 400, "6.2: Content-Length is one number");
        rules.hold(number.is_none_or(|number| number <= limits.body_bytes_max), 413, "9110 15.5.14: its limit");
        body = Body::Length(number.unwrap_or(0));
    }
    body
}

/// Whether `100-continue` is expected (9110 section 10.1.1). Another expectation may be answered with 417, and is. A
/// server must ignore what HTTP/1.0 expects.
fn expectation(fields: &Fields, is_http11: bool, rules: &mut Rules) -> bool {
    let mut expects = false;
    for value in values(fields, "expect").filter(|_| is_http11) {
        // Empty members of a list are to be ignored (9110 section 5.6.1.2).
        for expectation in members(value).into_iter().filter(|member| !member.is_empty()) {
            let is_known = expectation.eq_ignore_ascii_case(b"100-continue");
            rules.hold(is_known, 417, "9110 10.1.1: 100-continue is the only expectation");
            expects |= is_known;
        }
    }
    expects
}
