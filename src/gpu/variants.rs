//! Which layout of the kernels a device gets. Along each axis it earns what goes beyond the
//! portable: the device offers it, it is measured faster there, and it gives what the CPU twins
//! give. Drivers do get subgroups and barriers wrong, and say nothing.
//!
//! On software adapters nothing is tried: there one thread a row is known to be faster than
//! whatever has barriers, and a trial would take longer than it could save.

use std::collections::HashMap;
use std::sync::Mutex;

use serde::{Serialize, Serializer};

use super::self_test::quick_cases;
use super::{Gpu, GpuError, Halves, Layout, Products, Reduce};

/// What the kernels on a device are, for people and for `engine.info`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KernelVariant {
    /// `serial`, `workgroup` or `subgroup`, then what else the device is used for.
    #[serde(serialize_with = "as_text")]
    pub name: Layout,
    /// Variants that would have been used instead, had they passed their self-test.
    pub rejected: Vec<Rejected>,
    /// Variants that the device offers and that were measured to be no faster.
    pub slower: Vec<Slower>,
}

fn as_text<S: Serializer>(layout: &Layout, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(layout)
}

/// A variant that a device would have had, but for its wrong values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// Its name.
    pub name: &'static str,
    /// The kernel that failed, and how.
    pub reason: String,
}

/// A variant that is not worth it on a device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Slower {
    /// Its name.
    pub name: &'static str,
    /// What it took for a piece of work, in parts of what the chosen variant took.
    pub times: f64,
}

impl std::fmt::Display for KernelVariant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.name)?;
        for Rejected { name, reason } in &self.rejected {
            write!(f, "; not {name}, which failed its self-test ({reason})")?;
        }
        for Slower { name, times } in &self.slower {
            write!(f, "; not {name}, which took {times:.2} times as long")?;
        }
        Ok(())
    }
}

/// What layouts can differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Axis {
    /// [`Layout::reduce`].
    Reduce,
    /// [`Layout::halves`].
    Halves,
    /// [`Layout::products`].
    Products,
}

impl Axis {
    /// Name of a layout's variant along this axis.
    fn name(self, layout: Layout) -> &'static str {
        match (self, layout.halves, layout.products) {
            (Self::Reduce, _, _) => layout.reduce.name(),
            (Self::Halves, Halves::Packed, _) => "packed f16",
            (Self::Halves, Halves::Native, _) => "shader-f16",
            (Self::Products, _, Products::Floats) => "f32 products",
            (Self::Products, _, Products::Bytes) => "dot4I8Packed",
        }
    }

    /// What can stand in a layout's place along this axis, the portable last.
    fn candidates(self, layout: Layout) -> Vec<Layout> {
        match self {
            Self::Reduce => [Reduce::Subgroup, Reduce::Workgroup]
                .map(|reduce| Layout { reduce, ..layout })
                .to_vec(),
            Self::Halves => [Halves::Native, Halves::Packed]
                .map(|halves| Layout { halves, ..layout })
                .to_vec(),
            Self::Products => [Products::Bytes, Products::Floats]
                .map(|products| Layout { products, ..layout })
                .to_vec(),
        }
    }
}

/// What came of trying variants.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Trials {
    rejected: Vec<Rejected>,
    slower: Vec<Slower>,
}

/// Of this process or page, so that the next device on the same driver does not ask again. Not kept
/// longer: a browser does not tell of a new driver, whose values and times may be others.
static CHOSEN: Mutex<Option<HashMap<String, (Layout, Trials)>>> = Mutex::new(None);

impl Gpu {
    /// How the kernels are laid out here, and which variants are not used, and why.
    pub fn kernel_variant(&self) -> KernelVariant {
        let Trials { rejected, slower } = self.trials.clone();
        KernelVariant {
            name: self.layout(),
            rejected,
            slower,
        }
    }

    /// Chooses the layout for this device, or what was chosen on this driver before.
    pub(super) async fn choose_layout(&mut self) -> Result<(), GpuError> {
        if self.layout.reduce == Reduce::Serial {
            return Ok(());
        }
        let driver = self.driver();
        let known = {
            let chosen = CHOSEN.lock().expect("no one panics holding it");
            chosen.as_ref().and_then(|it| it.get(&driver).cloned())
        };
        if let Some((layout, trials)) = known {
            (self.layout, self.trials) = (layout, trials);
            return Ok(());
        }
        self.try_layouts(Gpu::self_test, Gpu::probe_ms).await?;
        let mut chosen = CHOSEN.lock().expect("no one panics holding it");
        chosen
            .get_or_insert_default()
            .insert(driver, (self.layout, self.trials.clone()));
        Ok(())
    }

    fn driver(&self) -> String {
        let info = self.info();
        format!(
            "{:?} {} {:#x}:{:#x} {} {}",
            info.backend, info.name, info.vendor, info.device, info.driver, info.driver_info
        )
    }

    /// Goes along the axes: `test` says what is wrong with the layout at hand, `time` what it takes.
    async fn try_layouts(
        &mut self,
        test: impl AsyncFn(&Gpu, Axis) -> Result<Option<String>, GpuError>,
        time: impl AsyncFn(&Gpu, Axis) -> Result<f64, GpuError>,
    ) -> Result<(), GpuError> {
        self.trials = Trials::default();
        self.layout = Reduce::Workgroup.into();
        for axis in [Axis::Reduce, Axis::Halves, Axis::Products] {
            let portable = self.layout;
            let mut candidates = axis.candidates(portable);
            candidates.retain(|it| it.is_offered(self.features()));
            let timed = self.timed(axis, candidates, &time).await?;
            let mut fastest_ms = None;
            for (ms, layout) in timed {
                if let Some(fastest_ms) = fastest_ms {
                    let (name, times) = (axis.name(layout), ms / fastest_ms);
                    self.trials.slower.push(Slower { name, times });
                    continue;
                }
                self.layout = layout;
                // Along the later axes the portable has been tested with the first.
                let is_tested = axis != Axis::Reduce && layout == portable;
                match if is_tested {
                    None
                } else {
                    test(self, axis).await?
                } {
                    None => fastest_ms = Some(ms),
                    Some(reason) => {
                        let name = axis.name(layout);
                        self.trials.rejected.push(Rejected { name, reason });
                    }
                }
                // A kernel that kills the device is no reason to go on with the next one.
                self.check_alive()?;
            }
            if fastest_ms.is_none() {
                // Nothing that has barriers is right here. The kernels of one thread a row have
                // neither these nor subgroups, and are used untested.
                self.layout = Reduce::Serial.into();
                self.trials.slower.clear();
                break;
            }
        }
        Ok(())
    }

    /// Layouts with their times, the fastest first. One that the driver refuses takes forever, and
    /// so comes last.
    async fn timed(
        &mut self,
        axis: Axis,
        candidates: Vec<Layout>,
        time: &impl AsyncFn(&Gpu, Axis) -> Result<f64, GpuError>,
    ) -> Result<Vec<(f64, Layout)>, GpuError> {
        let mut timed = Vec::with_capacity(candidates.len());
        let is_choice = candidates.len() > 1;
        for layout in candidates {
            self.layout = layout;
            let ms = match is_choice {
                true => time(self, axis).await.unwrap_or(f64::INFINITY),
                false => 0.0,
            };
            self.check_alive()?;
            timed.push((ms, layout));
        }
        timed.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        Ok(timed)
    }

    /// What a few cases of the kernels that an axis decides about say of the layout at hand: the
    /// first that disagrees with its twin, or that the driver refuses.
    async fn self_test(&self, axis: Axis) -> Result<Option<String>, GpuError> {
        for case in quick_cases(axis) {
            let failure = match case.check(self).await {
                Ok(comparison) if comparison.agrees() => continue,
                Ok(comparison) => comparison.to_string(),
                Err(error) => error.to_string(),
            };
            return Ok(Some(format!("{}: {failure}", case.kernel())));
        }
        Ok(None)
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::gpu::GpuOptions;

    fn gpu() -> Gpu {
        pollster::block_on(Gpu::new(GpuOptions::default())).expect("an adapter")
    }

    const EVERYTHING: Layout = Layout {
        reduce: Reduce::Subgroup,
        halves: Halves::Native,
        products: Products::Bytes,
    };

    fn tried(
        wrong: impl Fn(Layout, Axis) -> bool,
        ms: impl Fn(Layout) -> f64,
    ) -> (Layout, KernelVariant) {
        let mut gpu = gpu();
        assert!(EVERYTHING.is_offered(gpu.features()), "lavapipe has all");
        let test = async |gpu: &Gpu, axis: Axis| {
            Ok(wrong(gpu.layout(), axis).then(|| "value 3 is 0".to_owned()))
        };
        let time = async |gpu: &Gpu, _: Axis| Ok(ms(gpu.layout()));
        pollster::block_on(gpu.try_layouts(test, time)).expect("alive");
        (gpu.layout(), gpu.kernel_variant())
    }

    fn names(variant: &KernelVariant) -> (Vec<&str>, Vec<&str>) {
        let rejected = variant.rejected.iter().map(|it| it.name).collect();
        (rejected, variant.slower.iter().map(|it| it.name).collect())
    }

    #[test]
    fn a_device_gets_what_is_right_and_fastest_along_each_axis() {
        let faster = |it: Layout| {
            let counts = [
                it.reduce == Reduce::Subgroup,
                it.halves == Halves::Native,
                it.products == Products::Bytes,
            ];
            10.0 - counts.into_iter().filter(|&it| it).count() as f64
        };
        let (layout, variant) = tried(|_, _| false, faster);
        assert_eq!(layout, EVERYTHING);
        let slower = vec!["workgroup", "packed f16", "f32 products"];
        assert_eq!(names(&variant), (vec![], slower));
        assert_eq!(variant.slower[0].times, 10.0 / 9.0);

        let (layout, variant) = tried(|_, _| false, |it| 20.0 - faster(it));
        assert_eq!(layout, Reduce::Workgroup.into());
        let slower = vec!["subgroup", "shader-f16", "dot4I8Packed"];
        assert_eq!(names(&variant), (vec![], slower));
    }

    #[test]
    fn a_variant_that_gives_wrong_values_is_replaced_and_named() {
        let faster = |it: Layout| if it == EVERYTHING { 1.0 } else { 2.0 };
        let is_wrong = |it: Layout, axis| match axis {
            Axis::Reduce => it.reduce == Reduce::Subgroup,
            Axis::Halves => it.halves == Halves::Native,
            Axis::Products => it.products == Products::Bytes,
        };
        let (layout, variant) = tried(is_wrong, faster);
        assert_eq!(layout, Reduce::Workgroup.into());
        let rejected = vec!["subgroup", "shader-f16", "dot4I8Packed"];
        assert_eq!(names(&variant), (rejected, vec![]));
        assert_eq!(variant.rejected[0].reason, "value 3 is 0");

        let (layout, variant) = tried(|_, _| true, faster);
        assert_eq!(layout, Reduce::Serial.into());
        assert_eq!(names(&variant), (vec!["subgroup", "workgroup"], vec![]));
    }

    #[test]
    fn variants_of_this_device_agree_with_their_twins() {
        let mut gpu = gpu();
        pollster::block_on(gpu.try_layouts(Gpu::self_test, Gpu::probe_ms)).expect("alive");
        let variant = gpu.kernel_variant();
        println!("{}: {variant}", gpu.info().name);
        assert_eq!(variant.rejected, []);
        assert_ne!(gpu.layout().reduce, Reduce::Serial);
        assert_eq!(variant.slower.len(), 3, "{variant}");
    }
}
