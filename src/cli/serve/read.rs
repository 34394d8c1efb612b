//! Values of options: from their text to what they mean.

use bytes::BytesMut;
use env_logger::WriteStyle;
use evloop::http::StatusCode;
use evloop::http::access_log::AccessLog;
use evloop::http::codec::encode::ResponseHead;
use evloop::http::middleware::TrustedProxies;
use evloop::serve::{Accept, Bind, Control};
use log::LevelFilter;
use std::borrow::Cow;
use std::ffi::OsStr;
use std::net::Ipv6Addr;
use std::ops::RangeInclusive;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Who is believed about the client where nobody is named: proxies on this machine.
pub(super) const FORWARDED_ALLOW: &str = "127.0.0.1,::1,unix";

/// It is not what the option takes. The text is what there is to be said besides; it may be empty.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong(pub(super) Cow<'static, str>);

const fn wrong(text: &'static str) -> Wrong {
    Wrong(Cow::Borrowed(text))
}

/// The resolver would take an asterisk for no name at all, which is the loopback's.
const ALL_ADDRESSES: Wrong = wrong("all addresses are 0.0.0.0 or, with IPv6, ::");

/// Nothing can be said besides.
const PLAINLY: Wrong = wrong("");

pub(super) fn text(value: &OsStr) -> Result<&str, Wrong> {
    value.to_str().ok_or(PLAINLY)
}

/// A path, which may be no text.
pub(super) fn path(value: &OsStr) -> Result<PathBuf, Wrong> {
    if value.is_empty() { Err(PLAINLY) } else { Ok(value.into()) }
}

/// In decimal digits alone.
pub(super) fn number<T: FromStr + PartialOrd>(value: &OsStr, range: RangeInclusive<T>) -> Result<T, Wrong> {
    let digits = text(value)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PLAINLY);
    }
    digits.parse().ok().filter(|number| range.contains(number)).ok_or(PLAINLY)
}

/// Permissions of a file, as chmod(1) takes them in digits, with a zero before them or not.
pub(super) fn mode(value: &OsStr) -> Result<u32, Wrong> {
    let digits = text(value)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PLAINLY);
    }
    u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o777).ok_or(PLAINLY)
}

/// A number that something may not exceed.
pub(super) fn limit<T: TryFrom<u64>>(value: &OsStr) -> Result<Option<T>, Wrong> {
    if value == "none" {
        return Ok(None);
    }
    number(value, 1..=u64::MAX).and_then(|limit| T::try_from(limit).map_err(|_| PLAINLY)).map(Some)
}

/// A length of time.
pub(super) fn seconds(value: &OsStr) -> Result<Option<Duration>, Wrong> {
    if value == "none" {
        return Ok(None);
    }
    let seconds = text(value)?.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.filter(|seconds| !seconds.is_zero()).map(Some).ok_or(PLAINLY)
}

/// The words that click knows, which uvicorn reads its variables with.
pub(super) fn flag(value: &OsStr) -> Result<bool, Wrong> {
    match text(value)?.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(PLAINLY),
    }
}

pub(super) fn host(value: &OsStr) -> Result<String, Wrong> {
    match text(value)? {
        "" => Err(PLAINLY),
        "*" => Err(ALL_ADDRESSES),
        host if host.starts_with('[') => Err(wrong("brackets are for --bind")),
        host if host.matches(':').count() == 1 => Err(wrong("the port is told by --port, or both by --bind")),
        host => Ok(host.to_owned()),
    }
}

pub(super) fn port(value: &OsStr) -> Result<u16, Wrong> {
    number(value, 0..=u16::MAX).map_err(|plainly| match text(value) {
        Ok(text) if text.starts_with("tcp://") || text.starts_with("udp://") => {
            wrong("Kubernetes sets this for a service named evloop, unless the pod has enableServiceLinks: false")
        }
        _ => plainly,
    })
}

pub(super) fn unix(value: &OsStr) -> Result<Bind, Wrong> {
    path(value).map(Bind::Unix)
}

pub(super) fn descriptor(value: &OsStr) -> Result<Bind, Wrong> {
    number(value, 0..=RawFd::MAX).map(Bind::Inherited)
}

/// A place to listen, as gunicorn has it, other than that a port must be there.
pub(super) fn bind(value: &OsStr) -> Result<Bind, Wrong> {
    if let Some(path) = value.as_bytes().strip_prefix(b"unix:") {
        let path = path.strip_prefix(b"//").unwrap_or(path);
        return unix(OsStr::from_bytes(path)).map_err(|_| wrong("the path is missing"));
    }
    let text = text(value)?;
    if let Some(number) = text.strip_prefix("fd://") {
        return descriptor(OsStr::new(number)).map_err(|_| wrong("a descriptor is a number from 0 on"));
    }
    if let Some(reason) = not_of_ip(text) {
        return Err(wrong(reason));
    }
    let (host, port) = text.rsplit_once(':').ok_or(wrong("the port is missing"))?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').filter(|host| host.contains(':')).ok_or(BRACKETS)?,
        None if host.is_empty() => "0.0.0.0",
        None if host == "*" => return Err(ALL_ADDRESSES),
        None if host.contains(':') => {
            return Err(wrong("there is a colon too many: an address of IPv6 is in brackets"));
        }
        None => host,
    };
    let port = number(OsStr::new(port), 0..=u16::MAX).map_err(|_| wrong("the port is a number from 0 to 65535"))?;
    Ok(Bind::Inet(host.to_owned(), port))
}

const BRACKETS: Wrong = wrong("brackets are around an address of IPv6, and a colon and the port behind");

/// What it is instead of a host and a port, where that can be seen.
fn not_of_ip(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        Some("it is empty")
    } else if text.starts_with("fd:") {
        Some("a descriptor is written as fd://N")
    } else if text.contains("://") {
        Some("a host and a port stand alone, without what is around them in a URL")
    } else if text.contains('/') {
        Some("a path is written as unix:PATH")
    } else if text.parse::<u16>().is_ok() {
        Some("a colon stands before the port")
    } else if text.parse::<Ipv6Addr>().is_ok() {
        Some("an address of IPv6 stands in brackets, and its port behind: [::1]:8000")
    } else if text.ends_with(']') {
        Some("the port is missing")
    } else {
        None
    }
}

pub(super) fn accept(value: &OsStr) -> Result<Accept, Wrong> {
    match text(value)? {
        "shared" => Ok(Accept::Shared),
        "reuse-port" => Ok(Accept::ReusePort),
        _ => Err(PLAINLY),
    }
}

pub(super) fn control(value: &OsStr) -> Result<Control, Wrong> {
    match value.to_str() {
        Some("auto") => Ok(Control::Auto),
        Some("on") => Ok(Control::On),
        Some("none" | "off") => Ok(Control::Off),
        _ => path(value).map(Control::At),
    }
}

/// As it stands in a URL, without a slash at its end, so that a path which begins with another slash can follow.
pub(super) fn root_path(value: &OsStr) -> Result<String, Wrong> {
    let path = text(value)?;
    if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#')) {
        return Err(PLAINLY);
    }
    Ok(path.trim_end_matches('/').to_owned())
}

/// A field for answers (RFC 9110 section 5), other than those that say where an answer ends and what becomes of its
/// connection: these are the server's (RFC 9110 section 7.6.1, RFC 9112 section 6).
pub(super) fn header(value: &OsStr) -> Result<(String, String), Wrong> {
    let (name, value) = text(value)?.split_once(':').ok_or(wrong("there is no colon"))?;
    let (name, value) = (name.to_ascii_lowercase(), value.trim_matches([' ', '\t']));
    match name.as_str() {
        "connection" | "content-length" | "keep-alive" | "proxy-connection" | "te" | "trailer"
        | "transfer-encoding" | "upgrade" => {
            return Err(wrong("that field is the server's to write"));
        }
        "date" => return Err(wrong("that field is the server's to write, or not, by --no-date-header")),
        _ => {}
    }
    let goes = |name: &str, value: &str| {
        ResponseHead::begin(&mut BytesMut::new(), StatusCode::OK).header(name, value.as_bytes()).is_ok()
    };
    if name.is_empty() {
        return Err(wrong("there is no name before the colon"));
    }
    if let Some((letter, at)) = name.chars().zip(1..).find(|(letter, _)| !goes(letter.encode_utf8(&mut [0; 4]), "")) {
        return Err(Wrong(format!("no name has a {letter:?}, as its character {at} is").into()));
    }
    if let Some((letter, at)) = value.chars().zip(1..).find(|(letter, _)| !goes("x", letter.encode_utf8(&mut [0; 4]))) {
        return Err(Wrong(format!("no value has a {letter:?}, as its character {at} is").into()));
    }
    if goes(&name, value) { Ok((name, value.to_owned())) } else { Err(wrong("RFC 9110 section 5 has no such field")) }
}

/// A list without spaces and without what says nothing.
pub(super) fn allowed(value: &OsStr) -> Result<String, Wrong> {
    let sources: Vec<_> = text(value)?.split(',').map(str::trim).filter(|source| !source.is_empty()).collect();
    if sources.is_empty() {
        return Err(wrong("it is empty"));
    }
    let list = sources.join(",");
    match list.parse::<TrustedProxies>() {
        Ok(_) => Ok(list),
        Err(error) => Err(Wrong(error.to_string().escape_debug().to_string().into())),
    }
}

/// With the names of uvicorn's levels, too.
pub(super) fn level(value: &OsStr) -> Result<LevelFilter, Wrong> {
    match text(value)?.to_ascii_lowercase().as_str() {
        "warning" => Ok(LevelFilter::Warn),
        "critical" => Ok(LevelFilter::Error),
        level => level.parse().map_err(|_| PLAINLY),
    }
}

pub(super) fn access_log(value: &OsStr) -> Result<AccessLog, Wrong> {
    match text(value)? {
        "common" => Ok(AccessLog::Common),
        "json" => Ok(AccessLog::Json),
        _ => match flag(value) {
            Ok(on) => Ok(if on { AccessLog::Common } else { AccessLog::Off }),
            Err(_) => Err(wrong("it has no file, the log goes to the standard error (2>>FILE)")),
        },
    }
}

pub(super) fn colors(value: &OsStr) -> Result<WriteStyle, Wrong> {
    match text(value)? {
        "auto" => Ok(WriteStyle::Auto),
        "always" => Ok(WriteStyle::Always),
        "never" => Ok(WriteStyle::Never),
        _ => flag(value).map(|on| if on { WriteStyle::Always } else { WriteStyle::Never }),
    }
}
