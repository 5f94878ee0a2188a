//! The online view of a program: which resolver writes which features under which numbers, and how a stored row is read
//! back as features of a class.
//!
//! The registry of the stored state and the manifest of the program meet here, once, at the start.
//!
//! This file must not know sources or HTTP.

use arrow_array::RecordBatch;
use chalk_artifact::manifest::{FeatureClass, Manifest, Resolver, ResolverOutput};
use chalk_engine::values::encode_at;
use chalk_types::codec::{decode, encode};
use chalk_types::{IntWidth, Kind, Type, Value};

use crate::state::key::values_key;
use crate::state::row::{Stamp, groups};
use crate::state::store::StoreError;
use crate::state::{LayoutField, Registry, State};

/// How one resolver's rows become stored rows.
#[derive(Clone, Debug)]
pub struct RowWriter {
    class: u32,
    layout: u32,
    key: (usize, Kind),
    /// Columns of the batch and their kinds, in the order of the layout.
    columns: Vec<(usize, Kind)>,
}

impl RowWriter {
    /// For a resolver's messages; `None` where nothing of them is kept online.
    pub fn new(manifest: &Manifest, resolver: usize, registry: &mut Registry) -> Result<Option<RowWriter>, StoreError> {
        let resolver = &manifest.resolvers[resolver];
        // A windowed resolver sets no feature: its messages are events, and its windows set features.
        let sets_features = resolver.outputs.iter().any(|output| matches!(output, ResolverOutput::Feature(_)));
        if resolver.skip_online || !sets_features {
            return Ok(None);
        }
        let features = resolver.outputs.iter().filter_map(|output| match output {
            ResolverOutput::Feature(position) => Some((*position, true)),
            // Expressions are computed when they are asked for: another resolver may have changed what they read.
            ResolverOutput::Expression(position) => Some((*position, false)),
            ResolverOutput::Event | ResolverOutput::EventTime => None,
        });
        RowWriter::of(manifest, resolver, features, registry).map(Some)
    }

    /// For the rows of a resolver's tumbling windows, whose columns are these features.
    pub fn of_window(
        manifest: &Manifest,
        resolver: &Resolver,
        features: &[u32],
        registry: &mut Registry,
    ) -> Result<RowWriter, StoreError> {
        RowWriter::of(manifest, resolver, features.iter().map(|feature| (*feature, true)), registry)
    }

    fn of(
        manifest: &Manifest,
        resolver: &Resolver,
        features: impl Iterator<Item = (u32, bool)>,
        registry: &mut Registry,
    ) -> Result<RowWriter, StoreError> {
        let class = &manifest.classes[resolver.class as usize];
        let key_feature = &class.features[class.primary_key as usize];
        let number = registry.class(&class.namespace, &key_feature.ty)?;
        let mut key = None;
        let (mut columns, mut fields) = (Vec::new(), Vec::new());
        for (column, (position, is_stored)) in features.enumerate() {
            let feature = &class.features[position as usize];
            if position == class.primary_key {
                key = Some((column, feature.ty.kind.clone()));
            } else if is_stored {
                columns.push((column, feature.ty.kind.clone()));
                fields.push(LayoutField { fqn: feature.fqn.clone(), ty: feature.ty.clone() });
            }
        }
        let key = key.ok_or_else(|| {
            StoreError(format!("resolver `{}` does not set the primary key of `{}`", resolver.name, class.name))
        })?;
        let layout = registry.layout(number, fields);
        Ok(RowWriter { class: number, layout, key, columns })
    }

    /// The layout's number.
    pub fn layout(&self) -> u32 {
        self.layout
    }

    /// Writes the store key and the values of a row; the buffers are replaced.
    pub fn write(&self, batch: &RecordBatch, row: usize, buffers: &mut RowBuffers) {
        buffers.primary_key.clear();
        encode_at(&mut buffers.primary_key, batch.column(self.key.0), &self.key.1, row);
        values_key(&mut buffers.key, self.class, &buffers.primary_key);
        buffers.values.clear();
        for (column, kind) in &self.columns {
            encode_at(&mut buffers.values, batch.column(*column), kind, row);
        }
    }
}

/// What `RowWriter` fills; kept from row to row.
#[derive(Debug, Default)]
pub struct RowBuffers {
    /// The key in the store.
    pub key: Vec<u8>,
    /// The encoded values.
    pub values: Vec<u8>,
    primary_key: Vec<u8>,
}

/// Reads the stored rows of one class.
#[derive(Clone, Debug)]
pub struct ClassReader {
    namespace: String,
    number: u32,
    key_kind: Kind,
    features: usize,
    /// Per layout number, if it is of this class: per field its stored type, and the feature it is, with its type now.
    layouts: Vec<Option<Vec<(Type, Option<(usize, Type)>)>>>,
}

/// A stored value.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The value; null is a value.
    pub value: Value,
    /// When and where it was said.
    pub stamp: Stamp,
    /// The layout it came in: which resolver said it.
    pub layout: u32,
}

impl ClassReader {
    /// For a class; also says which stored features can no longer be read, because their type has changed.
    pub fn new(class: &FeatureClass, registry: &mut Registry) -> Result<(ClassReader, Vec<String>), StoreError> {
        let key = &class.features[class.primary_key as usize];
        let number = registry.class(&class.namespace, &key.ty)?;
        let mut changed = Vec::new();
        let layouts = registry
            .layouts()
            .iter()
            .map(|layout| {
                if layout.class != number {
                    return None;
                }
                let read_field = |field: &LayoutField| {
                    let position =
                        class.features.iter().position(|feature| feature.fqn == field.fqn && !feature.is_expression);
                    let now = position.map(|position| (position, class.features[position].ty.clone()));
                    if let Some((_, ty)) = &now
                        && !is_readable(&field.ty.kind, &ty.kind)
                    {
                        changed.push(format!("{} (stored as {}, now {ty})", field.fqn, field.ty));
                        return (field.ty.clone(), None);
                    }
                    (field.ty.clone(), now)
                };
                Some(layout.fields.iter().map(read_field).collect())
            })
            .collect();
        let reader = ClassReader {
            namespace: class.namespace.clone(),
            number,
            key_kind: key.ty.kind.clone(),
            features: class.features.len(),
            layouts,
        };
        Ok((reader, changed))
    }

    /// What is stored under a primary key: per feature of the class its latest value.
    pub fn read(&self, state: &State, primary_key: &Value) -> Result<Vec<Option<Stored>>, StoreError> {
        let (mut encoded, mut key) = (Vec::new(), Vec::new());
        encode(&mut encoded, &self.key_kind, primary_key);
        values_key(&mut key, self.number, &encoded);
        let mut latest: Vec<Option<Stored>> = vec![None; self.features];
        let Some(row) = state.read(&key)? else { return Ok(latest) };
        for group in groups(&row) {
            let Some(Some(fields)) = self.layouts.get(group.layout as usize) else { continue };
            let mut values = group.values;
            for (stored_type, feature) in fields {
                let Some(value) = decode(&mut values, stored_type) else {
                    return Err(StoreError(format!("a stored row of `{}` is damaged", self.namespace)));
                };
                let Some((position, ty)) = feature else { continue };
                let slot = &mut latest[*position];
                if slot.as_ref().is_none_or(|old| group.stamp.replaces(&old.stamp))
                    && let Some(value) = convert(value, stored_type, ty)
                {
                    *slot = Some(Stored { value, stamp: group.stamp, layout: group.layout });
                }
            }
        }
        Ok(latest)
    }
}

/// Whether stored values of one kind are values of another.
fn is_readable(stored: &Kind, now: &Kind) -> bool {
    match (stored, now) {
        (Kind::Int(_), Kind::Int(_) | Kind::Float64) | (Kind::Float32, Kind::Float64) => true,
        // By the variants' names.
        (Kind::Enum(_), Kind::Enum(_)) => true,
        (stored, now) => stored == now,
    }
}

/// A stored value as one of the type that the feature has now; `None` where it does not fit.
fn convert(value: Value, stored: &Type, now: &Type) -> Option<Value> {
    match (&stored.kind, &now.kind, value) {
        (_, Kind::Int(width), Value::Int(number)) => {
            let (low, high) = IntWidth::range(*width);
            (low..=high).contains(&number).then_some(Value::Int(number))
        }
        (_, Kind::Float64, Value::Int(number)) => Some(Value::Float(number as f64)),
        (Kind::Enum(stored), Kind::Enum(now), Value::Enum(index)) => {
            let name = stored.variants.get(index as usize)?;
            now.variants.iter().position(|variant| variant == name).map(|index| Value::Enum(index as u32))
        }
        (_, _, value) => Some(value),
    }
}
