//! A view of the field lines of a head.

use std::fmt;
use std::slice;

/// Where one field line's name and value lie in the text of its head.
///
/// Four 32-bit numbers: a push is one 16-byte store, and the parser never looks at more than 4 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FieldRange {
    pub(crate) name_start: u32,
    pub(crate) name_end: u32,
    pub(crate) value_start: u32,
    pub(crate) value_end: u32,
}

impl FieldRange {
    #[inline]
    fn name(self, lower: &[u8]) -> &[u8] {
        &lower[self.name_start as usize..self.name_end as usize]
    }

    #[inline]
    fn value(self, text: &[u8]) -> &[u8] {
        &text[self.value_start as usize..self.value_end as usize]
    }
}

/// The field lines of a head, in the order they came.
///
/// A copy of this view costs nothing. Names are in small letters; those asked for compare without regard to case (RFC 9110
/// section 5.1). Looking one up walks the list: requests carry about ten fields, and for ten a walk is quicker than a map.
///
/// # Examples
///
/// ```
/// use evloop_http::codec::head;
/// use evloop_http::limits::Limits;
/// use evloop_http::message::RequestHead;
///
/// let input = b"GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\naccept: */*\r\n\r\n";
/// let mut head = RequestHead::default();
/// head::parse(input, &Limits::default(), &mut head)?;
///
/// let headers = head.headers();
/// assert_eq!(headers.get("ACCEPT"), Some(&b"text/html"[..]));
/// assert_eq!(headers.get_all("accept").count(), 2);
/// assert_eq!(headers.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["host", "accept", "accept"]);
/// # Ok::<(), evloop_http::error::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Headers<'a> {
    /// The same text in small letters.
    lower: &'a [u8],
    text: &'a [u8],
    fields: &'a [FieldRange],
}

impl<'a> Headers<'a> {
    #[inline]
    pub(crate) fn new(lower: &'a [u8], text: &'a [u8], fields: &'a [FieldRange]) -> Headers<'a> {
        Headers { lower, text, fields }
    }

    /// The value of the first field with this name, without the white space around it.
    pub fn get(self, name: &str) -> Option<&'a [u8]> {
        self.get_all(name).next()
    }

    /// Like [`get`](Headers::get), as text; also `None` when the value is not UTF-8.
    pub fn get_str(self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(|value| str::from_utf8(value).ok())
    }

    /// The values of all fields with this name, in order.
    pub fn get_all<'n>(self, name: &'n str) -> impl DoubleEndedIterator<Item = &'a [u8]> + use<'a, 'n> {
        let Headers { lower, text, fields } = self;
        fields
            .iter()
            .filter(move |field| field.name(lower).eq_ignore_ascii_case(name.as_bytes()))
            .map(move |field| field.value(text))
    }

    /// Names, in small letters, and values, in order.
    pub fn iter(self) -> HeadersIter<'a> {
        HeadersIter { lower: self.lower, text: self.text, fields: self.fields.iter() }
    }

    /// How many field lines there are.
    pub fn len(self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.fields.is_empty()
    }
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lossy = self.iter().map(|(name, value)| (name, String::from_utf8_lossy(value)));
        f.debug_map().entries(lossy).finish()
    }
}

impl<'a> IntoIterator for Headers<'a> {
    type Item = (&'a str, &'a [u8]);
    type IntoIter = HeadersIter<'a>;

    fn into_iter(self) -> HeadersIter<'a> {
        self.iter()
    }
}

/// Names and values in order: what [`Headers::iter`] returns.
#[derive(Debug, Clone)]
pub struct HeadersIter<'a> {
    lower: &'a [u8],
    text: &'a [u8],
    fields: slice::Iter<'a, FieldRange>,
}

impl<'a> Iterator for HeadersIter<'a> {
    type Item = (&'a str, &'a [u8]);

    fn next(&mut self) -> Option<(&'a str, &'a [u8])> {
        let field = self.fields.next()?;
        let name =
            str::from_utf8(field.name(self.lower)).expect("the parser takes tokens as names, and they are ASCII");
        Some((name, field.value(self.text)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.fields.size_hint()
    }
}

impl ExactSizeIterator for HeadersIter<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two fields with the same name in different case, one value of them not UTF-8.
    fn with_example<R>(look: impl FnOnce(Headers<'_>) -> R) -> R {
        let text = b"Host: a\r\nX-One: 1\r\nx-one: \xff\r\n";
        let at =
            |name_start, name_end, value_start, value_end| FieldRange { name_start, name_end, value_start, value_end };
        let fields = [at(0, 4, 6, 7), at(9, 14, 16, 17), at(19, 24, 26, 27)];
        look(Headers::new(&text.to_ascii_lowercase(), text, &fields))
    }

    #[test]
    fn names_compare_without_regard_to_case() {
        with_example(|headers| {
            assert_eq!(headers.get("hOST"), Some(&b"a"[..]));
            assert_eq!(headers.get("x-one"), Some(&b"1"[..]));
            assert_eq!(headers.get("x-on"), None);
            assert_eq!(headers.get(""), None);
        });
    }

    #[test]
    fn all_values_of_a_name_come_in_order() {
        with_example(|headers| {
            let values: Vec<_> = headers.get_all("X-ONE").collect();
            assert_eq!(values, [&b"1"[..], b"\xff"]);
        });
    }

    #[test]
    fn a_value_that_is_not_utf8_is_bytes_but_not_text() {
        let text = b"a:\xff";
        let field = FieldRange { name_start: 0, name_end: 1, value_start: 2, value_end: 3 };
        let fields = [field];
        let headers = Headers::new(text, text, &fields);
        assert_eq!(headers.get("a"), Some(&b"\xff"[..]));
        assert_eq!(headers.get_str("a"), None);
    }

    #[test]
    fn names_are_listed_in_small_letters() {
        with_example(|headers| {
            let names: Vec<_> = headers.into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, ["host", "x-one", "x-one"]);
            assert_eq!(headers.iter().len(), headers.len());
            assert!(!headers.is_empty());
        });
    }
}
