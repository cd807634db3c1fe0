//! Sorting by place.
//!
//! The library's sort is made anew for every type it sorts, at six kilobytes each; everything here is sorted as numbers.

/// The positions of items in the order of their places. Items of the same place keep their order.
pub(crate) fn by_place(places: impl Iterator<Item = usize>) -> impl Iterator<Item = usize> {
    let mut order: Vec<(usize, usize)> =
        places.enumerate().map(|(position, place)| (place, position)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, position)| position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_in_order_of_place_and_then_as_given() {
        let order: Vec<usize> = by_place([5, 1, 5, 0].into_iter()).collect();
        assert_eq!(order, [3, 1, 0, 2]);
    }
}
