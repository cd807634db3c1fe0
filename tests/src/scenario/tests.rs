//! The corpus itself: every file can be read, and says something.

use super::{Arrival, corpus};

#[test]
fn every_scenario_can_be_read_and_its_requests_be_built() {
    let corpus = corpus();
    assert!(corpus.len() > 40);
    for scenario in corpus {
        for exchange in &scenario.exchanges {
            assert!(!exchange.call().path.is_empty(), "{}", scenario.name);
            let whole = exchange.answer(Arrival::Whole).pieces.concat();
            for arrival in [Arrival::ByEvent, Arrival::ByBytes(1), Arrival::ByBytes(7)] {
                assert_eq!(exchange.answer(arrival).pieces.concat(), whole, "{}", scenario.name);
            }
        }
    }
}
