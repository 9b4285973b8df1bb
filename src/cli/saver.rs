//! The thread that keeps the cache: reads `cache.file` before anything is served, writes it every
//! `cache.save-interval` and at the end.
//!
//! Knows: when, and what the operator is told. Does not know: the file (`cache::file`). No worker
//! waits for it. Nothing is written when nothing was learned: what expired since expires in the file
//! by itself. Shown by: the tests below, `tests/persist.rs`.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::cache::Cache;
use crate::cache::file::{CacheFile, Moment};
use crate::config::Config;
use crate::world::{Clock, Rng, World};

/// Where, and how often.
#[derive(Clone, Debug)]
struct Plan {
    file: Option<CacheFile>,
    interval: Duration,
}

impl Plan {
    fn of(config: &Config, embedded: bool) -> Plan {
        Plan { file: CacheFile::of(config, embedded), interval: config.cache.save_interval }
    }
}

enum Say {
    Configured(Plan),
    Stop,
}

/// The thread as its owner sees it.
pub struct Saver {
    say: Sender<Say>,
    ended: oneshot::Receiver<()>,
    embedded: bool,
}

impl Saver {
    /// Fills `cache`, which is empty, and starts the thread. `embedded` as in [`CacheFile::of`].
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(config: &Config, embedded: bool, cache: &Arc<Cache>, world: &World) -> io::Result<Saver> {
        let mut keeper = Keeper {
            cache: Arc::clone(cache),
            clock: world.clock.clone(),
            rng: world.rng.clone(),
            plan: Plan::of(config, embedded),
            saved: None,
            not_ours: false,
            complaint: None,
        };
        keeper.load();
        let (say, told) = mpsc::channel();
        let (tell, ended) = oneshot::channel();
        thread::Builder::new().name("saver".to_owned()).spawn(move || {
            keeper.run(&told);
            let _nobody_waits = tell.send(());
        })?;
        Ok(Saver { say, ended, embedded })
    }

    /// A configuration was reloaded.
    pub fn configured(&self, config: &Config) {
        let _ended = self.say.send(Say::Configured(Plan::of(config, self.embedded)));
    }

    /// Asks for a last save; what is returned ends with it.
    pub fn stop(self) -> impl Future<Output = ()> {
        let _ended = self.say.send(Say::Stop);
        async move {
            let _ended = self.ended.await;
        }
    }
}

/// The thread's own.
struct Keeper {
    cache: Arc<Cache>,
    clock: Clock,
    rng: Rng,
    plan: Plan,
    /// [`Cache::changes`] when what the file holds was taken; `None`: it holds something else.
    saved: Option<u64>,
    /// Something is in the file's place that may be dear to somebody, which has been told.
    not_ours: bool,
    /// The last failure told: told once until something else happens.
    complaint: Option<String>,
}

impl Keeper {
    fn moment(&self) -> Moment {
        Moment { now: self.clock.now(), wall: self.clock.wall() }
    }

    fn load(&mut self) {
        let Some(file) = &self.plan.file else { return };
        let (path, changes) = (file.path().display(), self.cache.changes());
        // Made for us, at the end of a symbolic link perhaps: nothing is missing from it.
        let is_empty = fs::metadata(file.path()).is_ok_and(|there| there.is_file() && there.len() == 0);
        match file.load(&self.cache, self.moment()) {
            Ok(Some(_)) if is_empty => {
                tracing::info!("cache.file: {path} is empty");
                self.saved = Some(changes);
            }
            Ok(None) => {
                tracing::info!("cache.file: {path} is not there yet");
                self.saved = Some(changes);
            }
            Ok(Some(loaded)) => {
                tracing::info!("cache.file: {} of {path} kept, {} expired", loaded.kept, loaded.expired);
                if loaded.damaged > 0 {
                    let damaged = loaded.damaged;
                    tracing::warn!(
                        "cache.file: {path} is damaged in {damaged} or more places, which are left out; the \
                         next save mends it"
                    );
                }
                if loaded.others > 0 {
                    tracing::warn!(
                        "cache.file: {path} was written by another version, or with other root, forward or \
                         stub servers: not used, and replaced by the next save"
                    );
                }
                self.saved = (loaded.damaged + loaded.others == 0).then_some(changes);
            }
            Err(why) => {
                self.not_ours = true;
                self.complain(format!("cache.file is not used: {why}"));
                return;
            }
        }
        if let Err(why) = file.try_folder() {
            self.complain(format!("the cache will not be kept: {why}"));
        }
    }

    fn run(mut self, told: &Receiver<Say>) {
        let mut next = Instant::now() + self.plan.interval;
        loop {
            let said = match self.plan.file {
                Some(_) => told.recv_timeout(next.saturating_duration_since(Instant::now())),
                None => told.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match said {
                Ok(Say::Configured(plan)) => {
                    self.adopt(plan);
                    next = next.min(Instant::now() + self.plan.interval);
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.save();
                    next = Instant::now() + self.plan.interval;
                }
                Ok(Say::Stop) | Err(RecvTimeoutError::Disconnected) => return self.save(),
            }
        }
    }

    fn adopt(&mut self, plan: Plan) {
        let old = std::mem::replace(&mut self.plan, plan).file;
        let Some(file) = self.plan.file.as_ref().filter(|file| old.as_ref() != Some(*file)) else { return };
        (self.saved, self.complaint, self.not_ours) = (None, None, false);
        if let Err(why) = file.may_be_replaced() {
            self.not_ours = true;
            self.complain(format!("the cache will not be kept: {why}"));
        }
    }

    /// Saves if anything was learned.
    fn save(&mut self) {
        let Some(file) = &self.plan.file else { return };
        // What changes while it is written is written next time.
        let changes = self.cache.changes();
        if self.saved == Some(changes) {
            return;
        }
        // Also while this runs something may have been put there.
        if let Err(why) = file.may_be_replaced() {
            if !std::mem::replace(&mut self.not_ours, true) {
                self.complain(format!("the cache is not saved: {why}"));
            }
            return;
        }
        self.not_ours = false;
        let mut nonce = [0; 16];
        let (a, b) = nonce.split_at_mut(8);
        a.copy_from_slice(&self.rng.u64().to_be_bytes());
        b.copy_from_slice(&self.rng.u64().to_be_bytes());
        let started = Instant::now();
        match file.save(&self.cache, self.moment(), nonce) {
            Ok(saved) => {
                let took = started.elapsed();
                let (records, octets, left_out) = (saved.records, saved.octets, saved.left_out);
                tracing::debug!(records, octets, left_out, ?took, "cache saved");
                if self.complaint.take().is_some() {
                    tracing::info!("cache.file: {} is kept again", file.path().display());
                }
                self.saved = Some(changes);
            }
            Err(why) => self.complain(format!("the cache was not saved: {why}")),
        }
    }

    fn complain(&mut self, complaint: String) {
        if self.complaint.as_ref() != Some(&complaint) {
            tracing::error!("{complaint}");
            self.complaint = Some(complaint);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::{Path, PathBuf};

    use crate::cache::hop::Judged;
    use crate::cache::scratch::Scratch;
    use crate::rrset::{Question, RrSet, RrType};
    use crate::trust::rank::Rank;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("cnamed-{name}-{}", std::process::id()));
        fs::remove_dir_all(&folder).ok();
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn config(file: &Path) -> Config {
        let mut config = Config::default();
        config.cache.max_memory = 1 << 20;
        config.cache.file = Some(file.to_owned());
        config
    }

    fn keeper(config: &Config) -> Keeper {
        let mut keeper = Keeper {
            cache: Arc::new(Cache::new(&config.cache)),
            clock: Clock::system(),
            rng: Rng::os(),
            plan: Plan::of(config, false),
            saved: None,
            not_ours: false,
            complaint: None,
        };
        keeper.load();
        keeper
    }

    fn learn(keeper: &Keeper, owner: &str) {
        let set = RrSet::new(owner.parse().unwrap(), RrType::A, 60, [&[192, 0, 2, 1][..]]);
        let question = Question::new(set.owner.clone(), set.rtype);
        let rrsets = &keeper.cache.rrsets;
        let (hop, rank, now) = (rrsets.hop_of_set(set), Rank::AuthAnswer, keeper.clock.now());
        rrsets.settle(&Scratch::default(), &question, hop, rank, &Judged::UNCHECKED, now);
    }

    #[test]
    fn nothing_is_written_when_nothing_was_learned() {
        let folder = folder("saver");
        let file = folder.join("cache.bin");
        let mut first = keeper(&config(&file));
        first.save();
        assert!(!file.exists());
        learn(&first, "a.example.");
        first.save();
        let written = fs::metadata(&file).unwrap().ino();
        let kept_open = fs::File::open(&file).unwrap(); // so that its number is not given again
        first.save();
        assert_eq!(fs::metadata(&file).unwrap().ino(), written);
        let mut second = keeper(&config(&file));
        second.save();
        assert_eq!(fs::metadata(&file).unwrap().ino(), written, "what was read is there already");
        learn(&second, "b.example.");
        second.save();
        assert_ne!(fs::metadata(&file).unwrap().ino(), written);
        drop(kept_open);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_file_of_somebody_else_is_never_replaced() {
        let folder = folder("saver-foreign");
        let (text, file) = (folder.join("hosts"), folder.join("cache.bin"));
        fs::write(&text, "127.0.0.1 localhost\n").unwrap();
        let mut keeper = keeper(&config(&text));
        assert!(keeper.complaint.as_ref().unwrap().contains("remove it, or correct cache.file"));
        learn(&keeper, "a.example.");
        keeper.save();
        assert_eq!(fs::read_to_string(&text).unwrap(), "127.0.0.1 localhost\n");
        // Another file, by a reload; and back.
        keeper.adopt(Plan::of(&config(&file), false));
        keeper.save();
        assert!(file.exists());
        keeper.adopt(Plan::of(&config(&text), false));
        keeper.save();
        assert_eq!(fs::read_to_string(&text).unwrap(), "127.0.0.1 localhost\n");
        fs::remove_file(&text).unwrap();
        keeper.save();
        assert!(fs::metadata(&text).unwrap().len() > 20, "the place is free now");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_failure_is_told_once_and_damage_is_mended() {
        let folder = folder("saver-fails");
        let missing = folder.join("missing");
        let file = missing.join("cache.bin");
        let mut keeper = keeper(&config(&file));
        let told = keeper.complaint.clone().unwrap();
        assert!(
            told.starts_with("the cache will not be kept: cannot write")
                && told.contains("Create the folder")
        );
        learn(&keeper, "a.example.");
        keeper.save();
        assert!(keeper.complaint.clone().unwrap().starts_with("the cache was not saved"));
        fs::create_dir(&missing).unwrap();
        keeper.save();
        assert_eq!(keeper.complaint, None);

        let whole = fs::read(&file).unwrap();
        fs::write(&file, &whole[..whole.len() - 3]).unwrap();
        let mut next = super::tests::keeper(&config(&file));
        next.save();
        assert_eq!(fs::metadata(&file).unwrap().len(), whole.len() as u64);
        fs::remove_dir_all(&folder).unwrap();
    }
}
