//! Folds disguised text to what it reads as, with a map back to the original bytes.
