//! Where the person is, and what a kill leaves of it.

use serde::{Deserialize, Serialize};
use veldwerk::Result;
use veldwerk::client::{Client, DraftId, SubmissionId};

/// One place of the app. The screen inside a questionnaire is the draft's own business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    /// The languages of the app.
    Language,
    /// The way into a study.
    Join,
    /// The study that was found.
    JoinCheck,
    /// The questionnaires.
    Home,
    /// A questionnaire, at the screen where its draft is.
    Question(i64),
    /// A questionnaire that is in memory alone, until somebody has said whether to take part.
    Consent,
    /// Thanks for a record.
    Done(i64),
    /// The settings of the app.
    Settings,
    /// What it promises.
    Privacy,
    /// Whether everything is to go.
    Erase,
    /// That everything is gone.
    Erased,
}

/// The places behind the person, the present one last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route(Vec<Place>);

/// Where the route is kept.
const KEY: &str = "ui.route";

impl Route {
    pub(crate) fn of(places: &[Place]) -> Self {
        Self(places.to_vec())
    }

    /// Where the person was when the app ended, as far as that is a place to come back to.
    pub(crate) fn restored(client: &Client) -> Result<Option<Self>> {
        let kept = client.kept(KEY)?.and_then(|kept| serde_json::from_str::<Vec<Place>>(&kept).ok());
        Ok(kept.filter(|places| !places.is_empty()).map(Self))
    }

    pub(crate) fn here(&self) -> Place {
        self.0.last().copied().unwrap_or(Place::Home)
    }

    pub(crate) fn go(&mut self, place: Place) {
        self.0.push(place);
    }

    /// Back to the place before; false at the first.
    pub(crate) fn back(&mut self) -> bool {
        let has_more = self.0.len() > 1;
        if has_more {
            self.0.pop();
        }
        has_more
    }

    /// Writes it down, so that a kill comes back here. What is asked before there is a study is asked again.
    pub(crate) fn keep(&self, client: &Client) -> Result<()> {
        let kept: Vec<Place> = self
            .0
            .iter()
            .copied()
            .filter(|place| matches!(place, Place::Home | Place::Question(_) | Place::Done(_)))
            .collect();
        client.keep(KEY, &serde_json::to_string(&kept).unwrap_or_default())
    }
}

impl Place {
    pub(crate) fn question(draft: DraftId) -> Self {
        Self::Question(draft.0)
    }

    pub(crate) fn done(record: SubmissionId) -> Self {
        Self::Done(record.0)
    }
}
