//! Which of the codings that a client takes is the best (RFC 9110 section 12.5.3).

/// A coding that a response's body may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Brotli,
    Zstandard,
    Gzip,
}

impl Coding {
    /// All of them, the smallest result first, as a rule.
    const ALL: [Coding; 3] = [Coding::Brotli, Coding::Zstandard, Coding::Gzip];

    /// Its name in `Accept-Encoding` and `Content-Encoding`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Zstandard => "zstd",
            Coding::Gzip => "gzip",
        }
    }

    /// What the name of a file in this coding ends with.
    pub(crate) const fn suffix(self) -> &'static [u8] {
        match self {
            Coding::Brotli => b".br",
            Coding::Zstandard => b".zst",
            Coding::Gzip => b".gz",
        }
    }
}

/// How much a client wants each coding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// By the order of [`Coding::ALL`], in thousandths; `None` where nothing was said.
    codings: [Option<u16>; 3],
    identity: Option<u16>,
    /// What is not named.
    others: Option<u16>,
}

impl Accepted {
    /// Reads all fields of the name `Accept-Encoding`. Without one, a client gets the original: it may take all
    /// codings, but the oldest ones, which are all that do not say, know none. A member that is malformed says nothing.
    pub(crate) fn parse<'a>(values: impl Iterator<Item = &'a [u8]>) -> Accepted {
        let mut accepted = Accepted::default();
        for member in values.flat_map(|value| value.split(|byte| *byte == b',')) {
            let (name, weight) = match member.iter().position(|byte| *byte == b';') {
                Some(at) => (&member[..at], parse_weight(&member[at + 1..])),
                None => (member, Some(1_000)),
            };
            let name = name.trim_ascii();
            let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            let Some(weight) = weight else { continue };
            if let Some(at) = Coding::ALL.iter().position(|coding| is(coding.name())) {
                accepted.codings[at] = Some(weight);
            } else if is("x-gzip") {
                accepted.codings[2].get_or_insert(weight); // RFC 9110 section 8.4.1.3: the same as gzip
            } else if is("identity") {
                accepted.identity = Some(weight);
            } else if name == b"*" {
                accepted.others = Some(weight);
            }
        }
        accepted
    }

    /// The codings to be tried, the best first. The original is better than those that are left out.
    ///
    /// Where a client refuses the original as well, it gets it nevertheless: that may be of use to it, and 406 never is
    /// (RFC 9110 section 12.1 leaves it to the server).
    pub(crate) fn by_preference(self) -> impl Iterator<Item = Coding> {
        let weight = move |at: usize| self.codings[at].or(self.others).unwrap_or(0);
        let original = self.identity.unwrap_or(0);
        let mut order = [0, 1, 2];
        order.sort_by_key(|at| std::cmp::Reverse(weight(*at)));
        order.into_iter().filter(move |at| weight(*at) > 0 && weight(*at) >= original).map(|at| Coding::ALL[at])
    }
}

/// `q=` and a number from 0 to 1 with at most three places, in thousandths (RFC 9110 section 12.4.2).
fn parse_weight(text: &[u8]) -> Option<u16> {
    let (b"q=" | b"Q=", number) = text.trim_ascii().split_at_checked(2)? else { return None };
    let (whole, places) = number.split_first()?;
    let places = match places {
        [] => places,
        [b'.', places @ ..] if places.len() <= 3 => places,
        _ => return None,
    };
    let mut weight = u16::from(matches!(whole, b'1')) * 1_000;
    for (digit, worth) in places.iter().zip([100, 10, 1]) {
        weight += u16::from(digit.is_ascii_digit().then(|| digit - b'0')?) * worth;
    }
    (matches!(whole, b'0' | b'1') && weight <= 1_000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(values: &[&str]) -> String {
        let accepted = Accepted::parse(values.iter().map(|value| value.as_bytes()));
        accepted.by_preference().map(Coding::name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn client_that_says_nothing_gets_the_original() {
        assert_eq!(order(&[]), "");
        assert_eq!(order(&[""]), "");
        assert_eq!(order(&["identity"]), "");
        assert_eq!(order(&["compress, deflate"]), "");
    }

    #[test]
    fn equal_weights_are_ordered_by_size() {
        assert_eq!(order(&["gzip, deflate, br, zstd"]), "br zstd gzip");
        assert_eq!(order(&["GZIP", "Br"]), "br gzip");
        assert_eq!(order(&["x-gzip"]), "gzip");
        assert_eq!(order(&["*"]), "br zstd gzip");
    }

    #[test]
    fn weights_go_before_size() {
        assert_eq!(order(&["br;q=0.5, gzip;q=0.8, zstd;q=0.501"]), "gzip zstd br");
        assert_eq!(order(&["br ; q=0.5 ,gzip\t;\tQ=1.000"]), "gzip br");
        assert_eq!(order(&["gzip, *;q=0.1"]), "gzip br zstd");
    }

    #[test]
    fn zero_refuses() {
        assert_eq!(order(&["br;q=0, gzip"]), "gzip");
        assert_eq!(order(&["br;q=0.000, *"]), "zstd gzip");
        assert_eq!(order(&["*;q=0, gzip"]), "gzip");
        assert_eq!(order(&["*;q=0"]), "");
    }

    #[test]
    fn original_may_be_wanted_more() {
        assert_eq!(order(&["identity, gzip;q=0.5"]), "");
        assert_eq!(order(&["identity;q=0.5, gzip;q=0.5, br;q=0.4"]), "gzip");
        assert_eq!(order(&["identity;q=0, gzip"]), "gzip");
    }

    #[test]
    fn malformed_weight_says_nothing() {
        for weight in
            ["q", "q=", "q=2", "q=1.1", "q=1.001", "q=0.0001", "q=.5", "q=-1", "q=0,5", "x=1", "q=a", "q=0.a", "q=1 x"]
        {
            assert_eq!(order(&[&format!("gzip;{weight}")]), "", "{weight}");
        }
        assert_eq!(order(&["gzip;q=0."]), "");
        assert_eq!(order(&["gzip;q=1."]), "gzip");
    }
}
