//! `xds.type.matcher.v3` and the cluster specifier that uses it.

use super::Extension;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Serialize)]
pub struct MatcherClusterSpecifier {
    pub cluster_matcher: Matcher,
}

#[derive(Debug, Clone, Serialize)]
pub struct Matcher {
    pub matcher_tree: MatcherTree,
    pub on_no_match: OnMatch,
}

#[derive(Debug, Clone, Serialize)]
pub struct MatcherTree {
    pub input: Extension,
    pub exact_match_map: MatchMap,
}

#[derive(Debug, Clone, Serialize)]
pub struct MatchMap {
    pub map: BTreeMap<String, OnMatch>,
}

#[derive(Debug, Clone, Serialize)]
pub struct OnMatch {
    pub action: Extension,
}

#[derive(Debug, Clone, Serialize)]
pub struct FilterStateInput {
    pub key: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct ClusterAction {
    pub cluster: String,
}
