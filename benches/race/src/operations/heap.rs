//! How much of the heap is in use, as the C library itself counts it: what was asked for, and its own overhead.

use malloc_info::info::{Malloc, SystemType, TotalType};
use malloc_info::malloc_info;

/// Bytes of the heap that are in use, those blocks included that are mapped by themselves.
pub(crate) fn in_use() -> f64 {
    let told = malloc_info().expect("the C library knows its heap, and tells of it in its own form");
    #[allow(clippy::cast_precision_loss, reason = "heaps are smaller than 2^52 bytes")]
    let bytes = of(&told) as f64;
    bytes
}

/// What was had from the system, less what lies free in it, and what is mapped besides.
fn of(told: &Malloc) -> usize {
    let system: usize =
        told.system.iter().filter(|part| part.r#type == SystemType::Current).map(|part| part.size).sum();
    let total = |kind| -> usize { told.total.iter().filter(|part| part.r#type == kind).map(|part| part.size).sum() };
    system.saturating_sub(total(TotalType::Fast) + total(TotalType::Rest)) + total(TotalType::Mmap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use malloc_info::info::{System, Total};

    #[test]
    fn what_is_free_is_not_in_use_and_what_is_mapped_is() {
        let total = |r#type, size| Total { r#type, count: 1, size };
        let system = |r#type, size| System { r#type, size };
        let told = Malloc {
            version: "1".to_owned(),
            heaps: Vec::new(),
            total: vec![total(TotalType::Fast, 30), total(TotalType::Rest, 200), total(TotalType::Mmap, 5_000)],
            system: vec![system(SystemType::Current, 1_000), system(SystemType::Max, 9_000)],
            aspace: Vec::new(),
        };
        assert_eq!(of(&told), 1_000 - 30 - 200 + 5_000);
    }

    #[test]
    fn the_heap_of_this_process_can_be_told() {
        let block = vec![1_u8; 1_000_000];
        assert!(in_use() >= 1e6);
        drop(block);
    }
}
