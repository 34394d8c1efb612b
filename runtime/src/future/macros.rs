//! What the macros of this folder expand to. Not for direct use: it may change with any version.

/// `[function] [future] [pattern] [names] rest...`: nests the futures in calls of the function, two by two, and lays
/// the nested pairs of the output flat. Each step's `next` is another name, by the hygiene of macros. Each future is made in
/// a statement of its own, so that what it was made with is free again before any of them runs.
#[doc(hidden)]
#[macro_export]
macro_rules! __join {
    ([$join:ident] [$first:expr] [] [] $($rest:expr,)*) => {
{
            let first = $first;
            $crate::future::macros::__join!([$join] [first] [first] [first] $($rest,)*)
        }
    };
    ([$join:ident] [$whole:expr] [$pattern:pat] [$($name:ident)*] $next:expr, $($rest:expr,)*) => {
{
            let next = $next;
            $crate::future::macros::__join!(
                [$join] [$crate::future::$join($whole, next)] [($pattern, next)] [$($name)* next] $($rest,)*
            )
        }
    };
    ([join] [$whole:expr] [$pattern:pat] [$($name:ident)*]) => {
        match $whole.await {
            $pattern => ($($name,)*),
        }
    };
    ([try_join] [$whole:expr] [$pattern:pat] [$($name:ident)*]) => {
        match $whole.await {
            ::core::result::Result::Ok($pattern) => ::core::result::Result::Ok(($($name,)*)),
            ::core::result::Result::Err(error) => ::core::result::Result::Err(error),
        }
    };
}

pub use __join;
