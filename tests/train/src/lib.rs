//! Makes the weights of the learned detectors.
//!
//! Texts become numbers once (`features`, needs the corpora), numbers become weights (`train`, needs nothing but the
//! repository). Invariant: both steps use additions, multiplications and square roots only, which every machine rounds
//! alike, so the same input gives the same bytes everywhere.

pub mod chance;
pub mod disguise;
pub mod document;
pub mod fit;
pub mod kin;
pub mod learn;
pub mod matrix;
pub mod model;
pub mod sample;
pub mod shared;
pub mod texts;
pub mod validate;
pub mod weights;
