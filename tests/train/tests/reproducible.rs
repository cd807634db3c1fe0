//! The weights in the repository are what the features in the repository give, bit for bit.

#![allow(clippy::unwrap_used, reason = "tests")]

use kt_train::learn::Task;
use kt_train::matrix::Matrix;
use kt_train::{model, weights};
use std::path::Path;

#[test]
fn training_again_gives_the_weights_that_are_checked_in() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let matrix = Matrix::read(&root.join("features.bin")).unwrap();
    let injection = model::model(&matrix, Task::Injection, model::INJECTION);
    let safety = model::model(&matrix, Task::Safety, model::SAFETY);
    let made = weights::file(&[&injection, &safety], &model::heads(&matrix));
    let checked_in = std::fs::read(root.join("../../filter/core/src/policy/model.bin")).unwrap();
    assert!(made == checked_in, "`make train` gives other weights than model.bin has; commit what it writes");
}
