//! The types of a result's columns, read once per result.

use super::owned_text;
use duckdb::ffi;

/// The unit of a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeUnit {
    Seconds,
    Millis,
    Micros,
    Nanos,
}

/// How wide the integers are that store a DECIMAL or an ENUM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    Bits8,
    Bits16,
    Bits32,
    Bits64,
    Bits128,
}

/// The type of a column, with what is needed to read its vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Boolean,
    TinyInt,
    SmallInt,
    Integer,
    BigInt,
    HugeInt,
    UTinyInt,
    USmallInt,
    UInteger,
    UBigInt,
    UHugeInt,
    Float,
    Double,
    Decimal {
        storage: Storage,
        scale: u8,
    },
    Date,
    Time,
    TimeNs,
    TimeTz,
    Timestamp(TimeUnit),
    TimestampTz(TimeUnit),
    Interval,
    Text,
    Json,
    Blob,
    Bit,
    Bignum,
    Uuid,
    Enum {
        storage: Storage,
        names: Vec<String>,
    },
    List(Box<Kind>),
    Array {
        item: Box<Kind>,
        length: usize,
    },
    Struct(Vec<(String, Kind)>),
    Map {
        key: Box<Kind>,
        value: Box<Kind>,
    },
    Union(Vec<Kind>),
    /// A type that has no JSON form here, by name.
    Unsupported(String),
}

impl Kind {
    /// Reads and destroys a logical type.
    ///
    /// # Safety
    /// `raw` is null or a logical type that nobody else destroys.
    pub(super) unsafe fn of(raw: ffi::duckdb_logical_type) -> Self {
        let logical = LogicalType(raw);
        logical.kind()
    }

    /// The name of the first type within that cannot be shown.
    pub(crate) fn unsupported(&self) -> Option<&str> {
        match self {
            Self::Unsupported(name) => Some(name),
            Self::List(item) | Self::Array { item, .. } => item.unsupported(),
            Self::Struct(fields) => fields.iter().find_map(|(_, kind)| kind.unsupported()),
            Self::Map { key, value } => key.unsupported().or_else(|| value.unsupported()),
            Self::Union(members) => members.iter().find_map(Self::unsupported),
            _ => None,
        }
    }
}

struct LogicalType(ffi::duckdb_logical_type);

impl LogicalType {
    fn kind(&self) -> Kind {
        // SAFETY: DuckDB answers INVALID for null.
        let id = unsafe { ffi::duckdb_get_type_id(self.0) };
        scalar_kind(id).unwrap_or_else(|| self.compound_kind(id))
    }

    fn compound_kind(&self, id: ffi::duckdb_type) -> Kind {
        let raw = self.0;
        // SAFETY: the type is live and each accessor matches its id; child types are owned by us.
        unsafe {
            match id {
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_VARCHAR => self.text_kind(),
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_DECIMAL => self.decimal_kind(),
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_ENUM => self.enum_kind(),
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_LIST => {
                    Kind::List(Box::new(Kind::of(ffi::duckdb_list_type_child_type(raw))))
                }
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_ARRAY => Kind::Array {
                    item: Box::new(Kind::of(ffi::duckdb_array_type_child_type(raw))),
                    length: usize::try_from(ffi::duckdb_array_type_array_size(raw)).unwrap_or(0),
                },
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_MAP => Kind::Map {
                    key: Box::new(Kind::of(ffi::duckdb_map_type_key_type(raw))),
                    value: Box::new(Kind::of(ffi::duckdb_map_type_value_type(raw))),
                },
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_STRUCT => self.struct_kind(),
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_UNION => Kind::Union(
                    (0..ffi::duckdb_union_type_member_count(raw))
                        .map(|index| Kind::of(ffi::duckdb_union_type_member_type(raw, index)))
                        .collect(),
                ),
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_GEOMETRY => Kind::Unsupported("GEOMETRY".to_owned()),
                ffi::DUCKDB_TYPE_DUCKDB_TYPE_VARIANT => Kind::Unsupported("VARIANT".to_owned()),
                other => Kind::Unsupported(format!("number {other} of DuckDB")),
            }
        }
    }

    fn text_kind(&self) -> Kind {
        // SAFETY: the type is live; the alias is given away.
        match unsafe { owned_text(ffi::duckdb_logical_type_get_alias(self.0)) } {
            Some(alias) if alias == "JSON" => Kind::Json,
            _ => Kind::Text,
        }
    }

    fn decimal_kind(&self) -> Kind {
        // SAFETY: the type is a live DECIMAL.
        let (storage, scale) =
            unsafe { (storage(ffi::duckdb_decimal_internal_type(self.0)), ffi::duckdb_decimal_scale(self.0)) };
        storage.map_or_else(|| Kind::Unsupported("DECIMAL".to_owned()), |storage| Kind::Decimal { storage, scale })
    }

    fn enum_kind(&self) -> Kind {
        // SAFETY: the type is a live ENUM; names are given away.
        let (storage, names) = unsafe {
            let count = u64::from(ffi::duckdb_enum_dictionary_size(self.0));
            let names = (0..count)
                .map(|index| owned_text(ffi::duckdb_enum_dictionary_value(self.0, index)).unwrap_or_default())
                .collect();
            (storage(ffi::duckdb_enum_internal_type(self.0)), names)
        };
        storage.map_or_else(|| Kind::Unsupported("ENUM".to_owned()), |storage| Kind::Enum { storage, names })
    }

    fn struct_kind(&self) -> Kind {
        // SAFETY: the type is a live STRUCT; names and types are given away.
        let fields = unsafe {
            (0..ffi::duckdb_struct_type_child_count(self.0))
                .map(|index| {
                    let name = owned_text(ffi::duckdb_struct_type_child_name(self.0, index)).unwrap_or_default();
                    (name, Kind::of(ffi::duckdb_struct_type_child_type(self.0, index)))
                })
                .collect()
        };
        Kind::Struct(fields)
    }
}

impl Drop for LogicalType {
    fn drop(&mut self) {
        // SAFETY: owned by this value, destroyed here alone; null is accepted.
        unsafe { ffi::duckdb_destroy_logical_type(&raw mut self.0) };
    }
}

fn storage(id: ffi::duckdb_type) -> Option<Storage> {
    Some(match id {
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_UTINYINT => Storage::Bits8,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_SMALLINT | ffi::DUCKDB_TYPE_DUCKDB_TYPE_USMALLINT => Storage::Bits16,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_INTEGER | ffi::DUCKDB_TYPE_DUCKDB_TYPE_UINTEGER => Storage::Bits32,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_BIGINT => Storage::Bits64,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_HUGEINT => Storage::Bits128,
        _ => return None,
    })
}

fn scalar_kind(id: ffi::duckdb_type) -> Option<Kind> {
    Some(match id {
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_SQLNULL => Kind::Null,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_BOOLEAN => Kind::Boolean,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_TINYINT => Kind::TinyInt,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_SMALLINT => Kind::SmallInt,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_INTEGER => Kind::Integer,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_BIGINT => Kind::BigInt,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_HUGEINT => Kind::HugeInt,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_UTINYINT => Kind::UTinyInt,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_USMALLINT => Kind::USmallInt,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_UINTEGER => Kind::UInteger,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_UBIGINT => Kind::UBigInt,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_UHUGEINT => Kind::UHugeInt,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_FLOAT => Kind::Float,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_DOUBLE => Kind::Double,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_DATE => Kind::Date,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIME => Kind::Time,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIME_NS => Kind::TimeNs,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIME_TZ => Kind::TimeTz,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP => Kind::Timestamp(TimeUnit::Micros),
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_S => Kind::Timestamp(TimeUnit::Seconds),
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_MS => Kind::Timestamp(TimeUnit::Millis),
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_NS => Kind::Timestamp(TimeUnit::Nanos),
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_TZ => Kind::TimestampTz(TimeUnit::Micros),
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_TZ_NS => Kind::TimestampTz(TimeUnit::Nanos),
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_INTERVAL => Kind::Interval,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_BLOB => Kind::Blob,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_BIT => Kind::Bit,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_BIGNUM => Kind::Bignum,
        ffi::DUCKDB_TYPE_DUCKDB_TYPE_UUID => Kind::Uuid,
        _ => return None,
    })
}
