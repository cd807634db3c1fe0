//! Looks words and phrases up in a lexicon.
