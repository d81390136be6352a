//! Which files an import reads, and their records on the way into the queue.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ledgerstone_edge::importer::{self, ImportError, Importer, InputLimits, accepts};
use ledgerstone_model::ErrorCode;

use crate::failure::{Failure, InputPlace};
use crate::ingest::{Item, Queue};

/// What is read, in order.
#[derive(Debug)]
pub struct Inputs {
    sources: Vec<Source>,
}

#[derive(Debug)]
enum Source {
    StandardInput,
    File(PathBuf),
}

impl Inputs {
    /// Finds the files behind the paths, before anything is written. Files that are named
    /// themselves are taken whatever they are called.
    pub fn find(importer: &dyn Importer, paths: &[PathBuf]) -> Result<Self, Failure> {
        let mut sources = Vec::new();
        for path in paths {
            if path.as_os_str() == "-" {
                sources.push(Source::StandardInput);
                continue;
            }
            let about = fs::metadata(path).map_err(|error| no_input(path, &error))?;
            if about.is_dir() {
                let mut files = Vec::new();
                search(importer, path, &mut files)?;
                files.sort();
                sources.extend(files.into_iter().map(Source::File));
            } else {
                sources.push(Source::File(path.clone()));
            }
        }
        if sources.is_empty() {
            let endings: Vec<String> =
                importer.extensions().iter().map(|one| format!(".{one} or .{one}.gz")).collect();
            let searched: Vec<String> =
                paths.iter().map(|path| path.display().to_string()).collect();
            let message =
                format!("no file in {} ends in {}", searched.join(", "), endings.join(" or "));
            return Err(Failure::new(ErrorCode::EmptyInput, message)
                .with_remedy("Name the files themselves, or check --format and the path."));
        }
        Ok(Self { sources })
    }

    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Reads everything into the queue; what cannot be read is refused there.
    pub fn read(&self, importer: &dyn Importer, queue: &Queue) {
        for source in &self.sources {
            if !source.read(importer, queue) {
                return;
            }
        }
    }
}

impl Source {
    fn name(&self) -> String {
        match self {
            Self::StandardInput => "standard input".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// Answers whether more is wanted.
    fn read(&self, importer: &dyn Importer, queue: &Queue) -> bool {
        let place = |position| InputPlace { input: self.name(), position };
        let refuse =
            |error: ImportError| queue.push(Item { place: place(None), read: Err(error.into()) });
        let submissions = self
            .open()
            .map_err(ImportError::from)
            .and_then(|stream| importer::read(importer, stream, InputLimits::default()));
        let submissions = match submissions {
            Ok(submissions) => submissions,
            Err(error) => return refuse(error),
        };
        for read in submissions {
            let is_wanted = match read {
                Ok(submission) => {
                    let place = place(Some(submission.position()));
                    queue.push(Item { place, read: Ok(submission) })
                }
                Err(error) => refuse(error),
            };
            if !is_wanted {
                return false;
            }
        }
        true
    }

    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        match self {
            Self::StandardInput => Ok(Box::new(io::stdin())),
            Self::File(path) => Ok(Box::new(File::open(path)?)),
        }
    }
}

/// Finds the importer's files below a directory. Links to directories are not followed: they may
/// lead in circles.
fn search(
    importer: &dyn Importer,
    directory: &Path,
    found: &mut Vec<PathBuf>,
) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::file("listing", directory, &error);
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        if entry.file_type().map_err(failed)?.is_dir() {
            search(importer, &path, found)?;
        } else if accepts(importer, &entry.file_name().to_string_lossy()) && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

fn no_input(path: &Path, error: &io::Error) -> Failure {
    let code = match error.kind() {
        io::ErrorKind::NotFound => ErrorCode::InvalidArgument,
        _ => ErrorCode::StorageFailed,
    };
    Failure::new(code, format!("{} cannot be read: {error}", path.display()))
        .with_remedy("Check the path. Nothing was imported.")
}
