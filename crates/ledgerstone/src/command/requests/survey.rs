//! `requests survey`, and what `subjects erase` says of an erasure that it opened: what would go, and what stands
//! against it.

use std::time::Duration;

use ledgerstone_client::{Job, SubjectRequest};
use ledgerstone_model::{JobId, JobState};

use super::{PAUSE, RequestOption, carried_out, json, print};
use crate::arguments::ServerOptions;
use crate::failure::{Ending, Failure};
use crate::indent::indent;
use crate::output::Console;
use crate::remote::Remote;

/// How long the survey of a request that was just opened is waited for. The request stands either way.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn run(step: &RequestOption, console: &mut Console) -> Result<Ending, Failure> {
    let remote = step.options.on_server("requests", console)?;
    let job = remote.wait(remote.client().survey(step.id))?;
    let job = carried_out(&remote, job)?;
    let found = job.result().map_or("{}", |result| result.get());
    if console.is_terminal() && !step.options.output.json {
        console.line(indent(found.as_bytes()))?;
    } else {
        console.line(found)?;
    }
    Ok(Ending::Done)
}

/// Prints a request for erasure that was opened just now, with its survey under `survey`, which is null where
/// that is not to be had yet.
pub fn tell_opened(
    request: &SubjectRequest,
    remote: &Remote,
    options: &ServerOptions,
    console: &mut Console,
) -> Result<Ending, Failure> {
    let found = surveyed(request, remote);
    let found = found.as_ref().and_then(Job::result).map(|result| result.get().as_bytes());
    if console.is_terminal() && !options.output.json {
        print(std::slice::from_ref(request), options, console)?;
        if let Some(found) = found {
            console.line("what an approval would reach, and what stands against it:")?;
            console.line(indent(found))?;
        }
    } else {
        console.line(json(request, Some(found.unwrap_or(b"null"))))?;
    }
    if found.is_none() {
        let id = &request.id;
        console.note(format!(
            "what the erasure would reach is not known yet; `ledgerstone requests survey {id}` says it, and is \
             to be looked at before the approval"
        ));
    }
    Ok(Ending::Done)
}

/// The survey, once it is done; none where it failed or takes longer than one waits. The request is open then
/// all the same, and so that is no failure.
fn surveyed(request: &SubjectRequest, remote: &Remote) -> Option<Job> {
    let id = JobId::parse(&request.survey.as_ref()?.id)?;
    let client = remote.client();
    let look = async {
        let job = client.job(&id).await?;
        client.follow(job, PAUSE, |_| {}).await
    };
    let job = remote.wait_for(async { tokio::time::timeout(PATIENCE, look).await });
    job.ok()?.ok().filter(|job| job.state() == JobState::Done)
}
