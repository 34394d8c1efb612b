//! Values of options: from their text to what they mean.

use bytes::BytesMut;
use env_logger::WriteStyle;
use evloop::http::StatusCode;
use evloop::http::access_log::AccessLog;
use evloop::http::codec::encode::ResponseHead;
use evloop::http::middleware::TrustedProxies;
use evloop::serve::{Accept, Bind, Control};
use log::LevelFilter;
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
pub(super) struct Wrong(pub(super) &'static str);

/// The resolver would take an asterisk for no name at all, which is the loopback's.
const ALL_ADDRESSES: Wrong = Wrong("all addresses are 0.0.0.0 or, with IPv6, ::");

/// Nothing can be said besides.
const PLAINLY: Wrong = Wrong("");

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
        host if host.starts_with('[') => Err(Wrong("brackets are for --bind")),
        host if host.matches(':').count() == 1 => Err(Wrong("the port is told by --port, or both by --bind")),
        host => Ok(host.to_owned()),
    }
}

pub(super) fn port(value: &OsStr) -> Result<u16, Wrong> {
    number(value, 0..=u16::MAX).map_err(|wrong| match text(value) {
        Ok(text) if text.starts_with("tcp://") || text.starts_with("udp://") => {
            Wrong("Kubernetes sets this for a service named evloop, unless the pod has enableServiceLinks: false")
        }
        _ => wrong,
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
        return unix(OsStr::from_bytes(path.strip_prefix(b"//").unwrap_or(path)));
    }
    let text = text(value)?;
    if let Some(number) = text.strip_prefix("fd://") {
        return descriptor(OsStr::new(number));
    }
    if text.starts_with("fd:") {
        return Err(Wrong("a descriptor is written as fd://N"));
    }
    if text.parse::<u16>().is_ok() {
        return Err(Wrong("a colon stands before the port"));
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(Wrong("an address of IPv6 stands in brackets"));
    }
    let (host, port) = text.rsplit_once(':').ok_or(Wrong("the port is missing"))?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').filter(|host| host.contains(':')).ok_or(PLAINLY)?,
        None if host.is_empty() => "0.0.0.0",
        None if host == "*" => return Err(ALL_ADDRESSES),
        None if host.contains([':', '/']) => return Err(PLAINLY),
        None => host,
    };
    Ok(Bind::Inet(host.to_owned(), number(OsStr::new(port), 0..=u16::MAX)?))
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
        Some("none") => Ok(Control::Off),
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
    let (name, value) = text(value)?.split_once(':').ok_or(PLAINLY)?;
    let (name, value) = (name.to_ascii_lowercase(), value.trim_matches([' ', '\t']));
    match name.as_str() {
        "connection" | "content-length" | "keep-alive" | "proxy-connection" | "te" | "trailer"
        | "transfer-encoding" | "upgrade" => {
            return Err(Wrong("that field is the server's to write"));
        }
        "date" => return Err(Wrong("that field is the server's to write, or not, by --no-date-header")),
        _ => {}
    }
    let mut out = BytesMut::new();
    match ResponseHead::begin(&mut out, StatusCode::OK).header(&name, value.as_bytes()) {
        Ok(()) => Ok((name, value.to_owned())),
        Err(_) => Err(Wrong("RFC 9110 section 5 has no such name or value")),
    }
}

/// A list without spaces and without what says nothing.
pub(super) fn allowed(value: &OsStr) -> Result<String, Wrong> {
    let sources: Vec<_> = text(value)?.split(',').map(str::trim).filter(|source| !source.is_empty()).collect();
    let list = sources.join(",");
    if list.is_empty() || list.parse::<TrustedProxies>().is_err() {
        return Err(PLAINLY);
    }
    Ok(list)
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
        _ => flag(value).map(|on| if on { AccessLog::Common } else { AccessLog::Off }),
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
