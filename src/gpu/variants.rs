//! Which variant of the kernels a device gets: the fastest for its type that gives there what the
//! CPU twins give. Drivers do get subgroups and barriers wrong, and say nothing.

use std::collections::HashMap;
use std::sync::Mutex;

use serde::Serialize;

use super::self_test::quick_cases;
use super::{Gpu, GpuError, Reduce};

/// What the kernels on a device are, for people and for `engine.info`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KernelVariant {
    /// `serial`, `workgroup` or `subgroup`.
    pub name: &'static str,
    /// Variants that would have been used instead, best first.
    pub rejected: Vec<Rejected>,
}

/// A variant that a device would have had, but for its wrong values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// Its name.
    pub name: &'static str,
    /// The kernel that failed, and how.
    pub reason: String,
}

impl std::fmt::Display for KernelVariant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)?;
        for Rejected { name, reason } in &self.rejected {
            write!(f, "; not {name}, which failed its self-test ({reason})")?;
        }
        Ok(())
    }
}

/// What the self-test said of a variant on a driver; `None` is that it passed.
type Verdicts = HashMap<(String, Reduce), Option<String>>;

/// Of this process or page, so that the next device on the same driver does not ask again.
static VERDICTS: Mutex<Option<Verdicts>> = Mutex::new(None);

impl Reduce {
    /// The variants to try for an adapter, the fastest first. The last one is portable: it has
    /// neither subgroups nor barriers, and is used untested.
    fn candidates(preferred: Reduce) -> &'static [Reduce] {
        match preferred {
            Reduce::Subgroup => &[Reduce::Subgroup, Reduce::Workgroup, Reduce::Serial],
            Reduce::Workgroup => &[Reduce::Workgroup, Reduce::Serial],
            Reduce::Serial => &[Reduce::Serial],
        }
    }
}

impl Gpu {
    /// How the kernels are laid out here, and which variants a self-test kept from being used.
    pub fn kernel_variant(&self) -> KernelVariant {
        KernelVariant {
            name: self.layout().reduce.name(),
            rejected: self.rejected.clone(),
        }
    }

    /// Lays the kernels out by the first of the variants from `preferred` on that passes `test`.
    pub(super) async fn choose_variant(
        &mut self,
        preferred: Reduce,
        test: impl AsyncFn(&Gpu) -> Result<Option<String>, GpuError>,
    ) -> Result<(), GpuError> {
        self.rejected.clear();
        for &reduce in Reduce::candidates(preferred) {
            self.layout.reduce = reduce;
            if reduce == Reduce::Serial {
                break;
            }
            let failure = test(self).await?;
            // A kernel that kills the device is no reason to go on with the next one.
            self.check_alive()?;
            match failure {
                None => break,
                Some(reason) => {
                    let name = reduce.name();
                    self.rejected.push(Rejected { name, reason });
                }
            }
        }
        Ok(())
    }

    /// What a few cases of every kernel that reduces say of the variant at hand: the first that
    /// disagrees with its twin, or that the driver refuses.
    pub(super) async fn self_test(&self) -> Result<Option<String>, GpuError> {
        let info = self.info();
        let driver = format!(
            "{:?} {} {:#x}:{:#x} {} {}",
            info.backend, info.name, info.vendor, info.device, info.driver, info.driver_info
        );
        let key = (driver, self.layout().reduce);
        let known = |verdicts: &Option<Verdicts>| verdicts.as_ref()?.get(&key).cloned();
        if let Some(verdict) = known(&VERDICTS.lock().expect("no one panics holding it")) {
            return Ok(verdict);
        }
        let mut verdict = None;
        for case in quick_cases() {
            let failure = match case.check(self).await {
                Ok(comparison) if comparison.agrees() => continue,
                Ok(comparison) => comparison.to_string(),
                Err(error) => error.to_string(),
            };
            verdict = Some(format!("{}: {failure}", case.kernel()));
            break;
        }
        let mut verdicts = VERDICTS.lock().expect("no one panics holding it");
        verdicts
            .get_or_insert_default()
            .insert(key, verdict.clone());
        Ok(verdict)
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::gpu::GpuOptions;

    fn gpu() -> Gpu {
        pollster::block_on(Gpu::new(GpuOptions::default())).expect("an adapter")
    }

    #[test]
    fn a_variant_that_gives_wrong_values_is_replaced_and_named() {
        let mut gpu = gpu();
        let wrong_subgroups = async |gpu: &Gpu| {
            let is_wrong = gpu.layout().reduce == Reduce::Subgroup;
            Ok(is_wrong.then(|| "matvec: value 3 is 0".to_owned()))
        };
        pollster::block_on(gpu.choose_variant(Reduce::Subgroup, wrong_subgroups)).expect("alive");
        assert_eq!(gpu.layout().reduce, Reduce::Workgroup);
        let rejected = Rejected {
            name: "subgroup",
            reason: "matvec: value 3 is 0".into(),
        };
        assert_eq!(gpu.kernel_variant().rejected, [rejected]);

        let all_wrong = async |_: &Gpu| Ok(Some("wrong".to_owned()));
        pollster::block_on(gpu.choose_variant(Reduce::Subgroup, all_wrong)).expect("alive");
        assert_eq!(gpu.layout().reduce, Reduce::Serial);
        assert_eq!(gpu.kernel_variant().rejected.len(), 2);
    }

    #[test]
    fn variants_that_agree_with_their_twins_are_kept() {
        let mut gpu = gpu();
        for reduce in [Reduce::Workgroup, Reduce::Subgroup] {
            if reduce.is_offered(gpu.features()) {
                pollster::block_on(gpu.choose_variant(reduce, Gpu::self_test)).expect("alive");
                assert_eq!(gpu.kernel_variant().rejected, []);
                assert_eq!(gpu.layout().reduce, reduce);
            }
        }
    }
}
