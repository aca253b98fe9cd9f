//! Engines that do not see one thing: what a property that forms are tried on must notice.

use std::collections::BTreeSet;

use veldwerk::form::{Edge, Facet, FormDef, Rule};
use veldwerk::ids::DefId;

/// What an engine no longer sees when something changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blindness {
    /// What is read in a predicate only.
    Predicates,
    /// That a range has got or lost rows, where its rows are counted or named.
    Ranges,
    /// What is read in other rows of the repeat that the reader is in.
    OtherRows,
    /// Who calculates from it.
    Calculations,
    /// Whose relevance follows from it.
    Relevance,
    /// Who is readonly because of it.
    Readonly,
    /// Who must be answered because of it.
    Required,
    /// Whose choices follow from it.
    Choices,
    /// Who says it in a label.
    Labels,
    /// Whose number of rows follows from it.
    Counts,
}

impl Blindness {
    /// Every one.
    pub const ALL: [Self; 10] = [
        Self::Predicates,
        Self::Ranges,
        Self::OtherRows,
        Self::Calculations,
        Self::Relevance,
        Self::Readonly,
        Self::Required,
        Self::Choices,
        Self::Labels,
        Self::Counts,
    ];

    /// Takes from a form's graph what is not seen; `plain` gives the form without its predicates.
    pub(super) fn befall(
        self,
        form: &mut FormDef,
        plain: impl FnOnce() -> veldwerk::Result<FormDef>,
    ) -> veldwerk::Result<()> {
        let mut graph = std::mem::take(&mut form.graph);
        match self {
            Self::Predicates => {
                let plain = plain()?;
                let seen: BTreeSet<_> = plain
                    .nodes
                    .ids()
                    .flat_map(|def| {
                        let edges = plain.graph.readers(def).iter();
                        let plain = &plain;
                        edges.map(move |edge| name(def, &plain.graph.rules[edge.rule], edge))
                    })
                    .collect();
                graph.retain(|def, rule, edge| seen.contains(&name(def, rule, edge)));
            }
            Self::Ranges => graph.retain(|def, _, _| form.nodes[def].repeat.is_none()),
            Self::OtherRows => graph.retain(|def, rule, edge| {
                let shared = form.ancestors(def).find(|&around| {
                    form.nodes[around].repeat.is_some() && form.ancestors(rule.target).any(|target| target == around)
                });
                shared.is_none_or(|shared| form.ancestors(edge.anchor).any(|around| around == shared))
            }),
            _ => graph.retain(|_, rule, _| !self.hides(rule.facet)),
        }
        form.graph = graph;
        Ok(())
    }

    fn hides(self, facet: Facet) -> bool {
        match facet {
            Facet::Calculate => self == Self::Calculations,
            Facet::Relevant => self == Self::Relevance,
            Facet::Readonly => self == Self::Readonly,
            Facet::Required => self == Self::Required,
            Facet::Choices(_) => self == Self::Choices,
            Facet::Label(_) => self == Self::Labels,
            Facet::Count(_) => self == Self::Counts,
        }
    }
}

/// An edge in words that two forms of the same nodes share.
fn name(def: DefId, rule: &Rule, edge: &Edge) -> (DefId, DefId, String, DefId) {
    (def, rule.target, format!("{:?}", rule.facet), edge.anchor)
}
