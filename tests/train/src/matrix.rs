//! The features of all training texts, as numbers in one compressed file.
//!
//! Holds no text: words are hashes that many words share. Invariant: what was written is what is read.

use crate::kin::Kin;
use crate::sample::{Safety, Sample};
use anyhow::{Context, Result, anyhow, bail};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use kt_core::policy::observe::Observer;
use kt_core::scan::words::features::{BUCKETS, SEGMENT_TOKENS};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

const MAGIC: &[u8; 4] = b"ktm2";

/// The features that stand first in each segment of a reading.
pub type Segments = Vec<Vec<u16>>;

/// One text in numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Number of its group: source and family.
    pub group: u16,
    /// Whether it is an attack.
    pub attack: Option<bool>,
    /// Whether it is unsafe.
    pub safety: Safety,
    /// Evidence of rules and disguise for injection, evidence of rules for safety.
    pub signs: [f32; 3],
    /// Its readings; the text as it stands comes first.
    pub readings: Vec<Segments>,
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matrix {
    /// `source/family/lang` of each group.
    pub groups: Vec<String>,
    /// One for each text.
    pub rows: Vec<Row>,
    /// Features that mean alike.
    pub kin: Kin,
}

impl Matrix {
    /// Looks at every text as the filter does.
    pub fn observe(samples: &[Sample]) -> Result<Matrix> {
        let mut observer = Observer::new().map_err(|problems| anyhow!("{problems:?}"))?;
        let mut matrix = Matrix::default();
        for sample in samples {
            let name = format!("{}/{}/{}", sample.source, sample.family, sample.lang);
            let group = matrix.groups.iter().position(|known| *known == name).unwrap_or_else(|| {
                matrix.groups.push(name);
                matrix.groups.len() - 1
            });
            let seen = observer.observe(&sample.text);
            let readings = seen.readings.iter().map(|reading| segments(&reading.features)).collect();
            matrix.rows.push(Row {
                group: group as u16,
                attack: sample.attack,
                safety: sample.safety,
                signs: [seen.injection.rules, seen.injection.disguise, seen.safety.rules],
                readings,
            });
        }
        Ok(matrix)
    }

    /// Writes the file.
    pub fn write(&self, file: &Path) -> Result<()> {
        let mut out = DeflateEncoder::new(Vec::new(), Compression::best());
        let ranks = Ranks::of(self);
        out.write_all(MAGIC)?;
        ranks.features.iter().try_for_each(|feature| out.write_all(&feature.to_le_bytes()))?;
        for groups in [&self.kin.meanings, &self.kin.forms] {
            number(&mut out, groups.len())?;
            for group in groups {
                number(&mut out, group.len())?;
                group.iter().try_for_each(|feature| out.write_all(&feature.to_le_bytes()))?;
            }
        }
        number(&mut out, self.groups.len())?;
        for group in &self.groups {
            number(&mut out, group.len())?;
            out.write_all(group.as_bytes())?;
        }
        number(&mut out, self.rows.len())?;
        for row in &self.rows {
            number(&mut out, usize::from(row.group))?;
            let attack = match row.attack {
                None => 0,
                Some(false) => 1,
                Some(true) => 2,
            };
            let safety = match row.safety {
                Safety::Unknown => 0,
                Safety::Safe => 1,
                Safety::Unsafe(bits) => 2 + usize::from(bits),
            };
            number(&mut out, attack)?;
            number(&mut out, safety)?;
            row.signs.iter().try_for_each(|sign| out.write_all(&sign.to_le_bytes()))?;
            number(&mut out, row.readings.len())?;
            for segments in &row.readings {
                number(&mut out, segments.len())?;
                for segment in segments {
                    let mut places: Vec<usize> =
                        segment.iter().map(|feature| ranks.place(*feature)).collect();
                    places.sort_unstable();
                    number(&mut out, places.len())?;
                    let mut last = 0;
                    for place in places {
                        number(&mut out, place - last)?;
                        last = place;
                    }
                }
            }
        }
        fs::write(file, out.finish()?).with_context(|| format!("cannot write `{}`", file.display()))
    }

    /// Reads the file.
    pub fn read(file: &Path) -> Result<Matrix> {
        let packed = fs::read(file).with_context(|| format!("cannot read `{}`", file.display()))?;
        let mut bytes = Vec::new();
        DeflateDecoder::new(packed.as_slice()).read_to_end(&mut bytes)?;
        let mut input = Input(&bytes);
        if input.take(4)? != MAGIC {
            bail!("`{}` holds no features", file.display());
        }
        let features: Vec<u16> = input
            .take(2 * BUCKETS)?
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| u16::from_le_bytes(*pair))
            .collect();
        let mut matrix = Matrix::default();
        for groups in [&mut matrix.kin.meanings, &mut matrix.kin.forms] {
            for _ in 0..input.number()? {
                let length = input.number()?;
                let bytes = input.take(2 * length)?.as_chunks::<2>().0;
                groups.push(bytes.iter().map(|pair| u16::from_le_bytes(*pair)).collect());
            }
        }
        for _ in 0..input.number()? {
            let length = input.number()?;
            matrix.groups.push(String::from_utf8_lossy(input.take(length)?).into_owned());
        }
        for _ in 0..input.number()? {
            matrix.rows.push(input.row(&features)?);
        }
        Ok(matrix)
    }
}

/// The features of each segment that did not stand earlier in the reading.
fn segments(features: &[[u16; 2]]) -> Segments {
    let mut seen = vec![false; BUCKETS];
    features
        .chunks(SEGMENT_TOKENS)
        .map(|tokens| {
            let fresh = |feature: &&u16| {
                seen.get_mut(usize::from(**feature)).is_some_and(|seen| !std::mem::replace(seen, true))
            };
            tokens.as_flattened().iter().filter(fresh).copied().collect()
        })
        .collect()
}

/// Features by how often they stand in the texts: frequent ones take fewer bytes.
struct Ranks {
    features: Vec<u16>,
    places: Vec<usize>,
}

impl Ranks {
    fn of(matrix: &Matrix) -> Ranks {
        let mut counts: Vec<(usize, u16)> = (0..=u16::MAX).map(|feature| (0, feature)).collect();
        for feature in matrix.rows.iter().flat_map(|row| &row.readings).flatten().flatten() {
            if let Some((count, _)) = counts.get_mut(usize::from(*feature)) {
                *count += 1;
            }
        }
        counts.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut places = vec![0; BUCKETS];
        for (place, (_, feature)) in counts.iter().enumerate() {
            if let Some(found) = places.get_mut(usize::from(*feature)) {
                *found = place;
            }
        }
        Ranks { features: counts.into_iter().map(|(_, feature)| feature).collect(), places }
    }

    fn place(&self, feature: u16) -> usize {
        self.places.get(usize::from(feature)).copied().unwrap_or_default()
    }
}

fn number(out: &mut impl Write, mut value: usize) -> Result<()> {
    while value >= 0x80 {
        out.write_all(&[value as u8 | 0x80])?;
        value >>= 7;
    }
    Ok(out.write_all(&[value as u8])?)
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) =
            self.0.split_at_checked(count).ok_or_else(|| anyhow!("the file of features ends early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<usize> {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = *self.take(1)?.first().ok_or_else(|| anyhow!("the file of features ends early"))?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
            if shift > 56 {
                bail!("the file of features is damaged");
            }
        }
    }

    fn float(&mut self) -> Result<f32> {
        Ok(self.take(4)?.first_chunk::<4>().map_or(0.0, |bytes| f32::from_le_bytes(*bytes)))
    }

    fn row(&mut self, features: &[u16]) -> Result<Row> {
        let group = self.number()? as u16;
        let attack = match self.number()? {
            0 => None,
            value => Some(value == 2),
        };
        let safety = match self.number()? {
            0 => Safety::Unknown,
            1 => Safety::Safe,
            bits => Safety::Unsafe((bits - 2) as u16),
        };
        let signs = [self.float()?, self.float()?, self.float()?];
        let mut readings = Vec::new();
        for _ in 0..self.number()? {
            let mut segments = Segments::new();
            for _ in 0..self.number()? {
                let mut place = 0;
                let mut segment = Vec::new();
                for _ in 0..self.number()? {
                    place += self.number()?;
                    segment.push(
                        *features.get(place).ok_or_else(|| anyhow!("the file of features is damaged"))?,
                    );
                }
                segments.push(segment);
            }
            readings.push(segments);
        }
        Ok(Row { group, attack, safety, signs, readings })
    }
}
