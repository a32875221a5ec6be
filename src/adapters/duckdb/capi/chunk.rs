//! Reading the rows of a result out of DuckDB's vectors.

use super::kind::Storage;
use super::{Kind, TimeUnit};
use duckdb::ffi;
use std::borrow::Cow;
use std::ffi::c_void;
use std::marker::PhantomData;
use std::ops::Range;

/// Up to 2048 rows of a result.
#[derive(Debug)]
pub(crate) struct Chunk<'r> {
    raw: ffi::duckdb_data_chunk,
    kinds: &'r [Kind],
}

impl<'r> Chunk<'r> {
    /// Takes charge of a chunk whose columns are of these kinds.
    pub(super) fn new(raw: ffi::duckdb_data_chunk, kinds: &'r [Kind]) -> Self {
        Self { raw, kinds }
    }

    /// How many rows it has.
    pub(crate) fn len(&self) -> usize {
        // SAFETY: the chunk is live.
        to_usize(unsafe { ffi::duckdb_data_chunk_get_size(self.raw) })
    }

    /// Its columns.
    pub(crate) fn columns(&self) -> Vec<Vector<'_>> {
        let rows = self.len();
        let vector = |(index, kind)| {
            // SAFETY: the index is in range, since the kinds are those of the result's columns, and
            // the vector lives as long as the chunk.
            unsafe { Vector::new(ffi::duckdb_data_chunk_get_vector(self.raw, index), kind, rows) }
        };
        (0..).zip(self.kinds).map(vector).collect()
    }
}

impl Drop for Chunk<'_> {
    fn drop(&mut self) {
        // SAFETY: given to us by `duckdb_fetch_chunk`, destroyed here alone.
        unsafe { ffi::duckdb_destroy_data_chunk(&raw mut self.raw) };
    }
}

/// A column of a chunk, or the values within a nested one.
///
/// DuckDB copies the chunks of a result into flat vectors, nested ones too, before it hands them
/// out (`BufferedData::CopyForBuffering`, `ColumnDataCollection`), so data and validity are arrays.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vector<'c> {
    raw: ffi::duckdb_vector,
    kind: &'c Kind,
    len: usize,
    data: *const c_void,
    validity: *const u64,
    _chunk: PhantomData<&'c ()>,
}

/// One value.
#[derive(Clone, Debug)]
pub(crate) enum Cell<'c> {
    Null,
    Boolean(bool),
    Integer(i64),
    Unsigned(u64),
    Huge(i128),
    UnsignedHuge(u128),
    Float(f32),
    Double(f64),
    /// `digits` divided by ten to the power of `scale`.
    Decimal {
        digits: i128,
        scale: u8,
    },
    /// Days since 1970-01-01.
    Date(i32),
    /// Since midnight.
    Time(TimeUnit, i64),
    /// Microseconds since midnight and the offset in seconds east of Greenwich.
    TimeTz {
        micros: i64,
        offset_seconds: i32,
    },
    Timestamp(TimeUnit, i64),
    TimestampTz(TimeUnit, i64),
    Interval {
        months: i32,
        days: i32,
        micros: i64,
    },
    Text(Cow<'c, str>),
    Json(Cow<'c, str>),
    Blob(&'c [u8]),
    /// The count of unused bits in the second byte, then the bits.
    Bit(&'c [u8]),
    /// Three bytes of sign and length, then the magnitude, the highest byte first.
    Bignum(&'c [u8]),
    Uuid(u128),
    /// The items are these rows of the vector.
    List(Vector<'c>, Range<usize>),
    Struct(Fields<'c>),
    /// The entries are these rows of the two vectors.
    Map {
        keys: Vector<'c>,
        values: Vector<'c>,
        entries: Range<usize>,
    },
    /// The value is this row of the chosen member's vector.
    Union(Vector<'c>, usize),
}

/// The fields of one STRUCT.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'c> {
    parent: Vector<'c>,
    members: &'c [(String, Kind)],
    row: usize,
}

impl<'c> Fields<'c> {
    /// Name and value of each field.
    pub(crate) fn iter(self) -> impl ExactSizeIterator<Item = (&'c str, Cell<'c>)> {
        self.members
            .iter()
            .enumerate()
            .map(move |(index, (name, kind))| (name.as_str(), self.parent.struct_child(index, kind).cell(self.row)))
    }
}

impl<'c> Vector<'c> {
    /// The texts in an argument of a function.
    ///
    /// # Safety
    /// `raw` is a flat vector of VARCHAR with at least `len` rows, and lives for `'c`.
    pub(super) unsafe fn of_texts(raw: ffi::duckdb_vector, len: usize) -> Self {
        static TEXT: Kind = Kind::Text;
        // SAFETY: promised by the caller.
        unsafe { Self::new(raw, &TEXT, len) }
    }

    /// # Safety
    /// `raw` is a flat vector of the type that `kind` was read from, with at least `len` rows, and
    /// lives for `'c`.
    unsafe fn new(raw: ffi::duckdb_vector, kind: &'c Kind, len: usize) -> Self {
        // SAFETY: promised by the caller.
        let (data, validity) =
            unsafe { (ffi::duckdb_vector_get_data(raw).cast_const().cast(), ffi::duckdb_vector_get_validity(raw)) };
        Self { raw, kind, len, data, validity, _chunk: PhantomData }
    }

    /// The value of a row; NULL beyond the end.
    pub(crate) fn cell(self, row: usize) -> Cell<'c> {
        if !self.is_valid(row) {
            return Cell::Null;
        }
        // SAFETY: `row` is in range and the vector is of this kind, so each type read here is the
        // one that DuckDB stores for it.
        unsafe { self.valid_cell(row) }
    }

    fn is_valid(self, row: usize) -> bool {
        if row >= self.len {
            return false;
        }
        if self.validity.is_null() {
            return true;
        }
        // SAFETY: the mask has a bit for each row.
        let word = unsafe { self.validity.add(row / 64).read() };
        word >> (row % 64) & 1 == 1
    }

    /// # Safety
    /// `row` is below `len`.
    unsafe fn valid_cell(self, row: usize) -> Cell<'c> {
        // SAFETY: `row` is in range, and the type read is that of the kind.
        unsafe {
            match self.kind {
                Kind::Null | Kind::Unsupported(_) => Cell::Null,
                Kind::Boolean => Cell::Boolean(self.read::<u8>(row) != 0),
                Kind::TinyInt => Cell::Integer(self.read::<i8>(row).into()),
                Kind::SmallInt => Cell::Integer(self.read::<i16>(row).into()),
                Kind::Integer => Cell::Integer(self.read::<i32>(row).into()),
                Kind::BigInt => Cell::Integer(self.read(row)),
                Kind::UTinyInt => Cell::Unsigned(self.read::<u8>(row).into()),
                Kind::USmallInt => Cell::Unsigned(self.read::<u16>(row).into()),
                Kind::UInteger => Cell::Unsigned(self.read::<u32>(row).into()),
                Kind::UBigInt => Cell::Unsigned(self.read(row)),
                Kind::HugeInt => Cell::Huge(self.huge(row)),
                Kind::UHugeInt => Cell::UnsignedHuge(self.huge(row).cast_unsigned()),
                Kind::Float => Cell::Float(self.read(row)),
                Kind::Double => Cell::Double(self.read(row)),
                Kind::Decimal { storage, scale } => Cell::Decimal { digits: self.signed(row, *storage), scale: *scale },
                Kind::Date => Cell::Date(self.read(row)),
                Kind::Time => Cell::Time(TimeUnit::Micros, self.read(row)),
                Kind::TimeNs => Cell::Time(TimeUnit::Nanos, self.read(row)),
                Kind::TimeTz => time_tz(self.read(row)),
                Kind::Timestamp(unit) => Cell::Timestamp(*unit, self.read(row)),
                Kind::TimestampTz(unit) => Cell::TimestampTz(*unit, self.read(row)),
                Kind::Interval => {
                    let ffi::duckdb_interval { months, days, micros } = self.read(row);
                    Cell::Interval { months, days, micros }
                }
                // The highest bit is turned so that signed order is the order of the digits.
                Kind::Uuid => Cell::Uuid(self.huge(row).cast_unsigned() ^ (1 << 127)),
                Kind::Text => Cell::Text(String::from_utf8_lossy(self.bytes(row))),
                Kind::Json => Cell::Json(String::from_utf8_lossy(self.bytes(row))),
                Kind::Blob => Cell::Blob(self.bytes(row)),
                Kind::Bit => Cell::Bit(self.bytes(row)),
                Kind::Bignum => Cell::Bignum(self.bytes(row)),
                Kind::Enum { storage, names } => enum_cell(names, self.signed(row, *storage), *storage),
                Kind::List(item) => Cell::List(self.list_child(item), self.entries(row)),
                Kind::Array { item, length } => {
                    Cell::List(self.array_child(item, *length), row * length..(row + 1) * length)
                }
                Kind::Struct(fields) => Cell::Struct(Fields { parent: self, members: fields, row }),
                Kind::Map { key, value } => self.map(row, key, value),
                Kind::Union(members) => self.union(row, members),
            }
        }
    }

    /// # Safety
    /// `row` is in range and the vector stores values of type `T`.
    unsafe fn read<T: Copy>(self, row: usize) -> T {
        // SAFETY: promised by the caller; DuckDB aligns to 8 bytes only.
        unsafe { self.data.cast::<T>().add(row).read_unaligned() }
    }

    /// # Safety
    /// `row` is in range and the vector stores 128 bits a row.
    unsafe fn huge(self, row: usize) -> i128 {
        // SAFETY: promised by the caller.
        let ffi::duckdb_hugeint { lower, upper } = unsafe { self.read(row) };
        i128::from(upper) << 64 | i128::from(lower)
    }

    /// # Safety
    /// `row` is in range and the vector stores integers as wide as `storage` says.
    unsafe fn signed(self, row: usize, storage: Storage) -> i128 {
        // SAFETY: promised by the caller.
        unsafe {
            match storage {
                Storage::Bits8 => self.read::<i8>(row).into(),
                Storage::Bits16 => self.read::<i16>(row).into(),
                Storage::Bits32 => self.read::<i32>(row).into(),
                Storage::Bits64 => self.read::<i64>(row).into(),
                Storage::Bits128 => self.huge(row),
            }
        }
    }

    /// # Safety
    /// `row` is in range and the vector stores texts or bytes.
    unsafe fn bytes(self, row: usize) -> &'c [u8] {
        // SAFETY: promised by the caller; short texts lie within the entry, and entry and text
        // live as long as the chunk.
        unsafe {
            let entry = self.data.cast::<ffi::duckdb_string_t>().add(row);
            let length = (&raw const (*entry).value.inlined.length).read_unaligned() as usize;
            let start = if length <= 12 {
                (&raw const (*entry).value.inlined.inlined).cast::<u8>()
            } else {
                (&raw const (*entry).value.pointer.ptr).read_unaligned().cast_const().cast()
            };
            std::slice::from_raw_parts(start, length)
        }
    }

    /// # Safety
    /// `row` is in range and the vector is of a LIST or MAP.
    unsafe fn entries(self, row: usize) -> Range<usize> {
        // SAFETY: promised by the caller.
        let ffi::duckdb_list_entry { offset, length } = unsafe { self.read(row) };
        to_usize(offset)..to_usize(offset.saturating_add(length))
    }

    /// # Safety
    /// The vector is of a LIST of `item`, or of a MAP with entries of that kind.
    unsafe fn list_child(self, item: &'c Kind) -> Vector<'c> {
        // SAFETY: promised by the caller; the child lives as long as its parent.
        unsafe {
            let length = to_usize(ffi::duckdb_list_vector_get_size(self.raw));
            Vector::new(ffi::duckdb_list_vector_get_child(self.raw), item, length)
        }
    }

    /// # Safety
    /// The vector is of an ARRAY of `length` `item`s.
    unsafe fn array_child(self, item: &'c Kind, length: usize) -> Vector<'c> {
        // SAFETY: promised by the caller; the child lives as long as its parent.
        unsafe { Vector::new(ffi::duckdb_array_vector_get_child(self.raw), item, self.len * length) }
    }

    /// The child at `index` of a STRUCT; called by `Fields` alone, which takes both from the kind.
    fn struct_child(self, index: usize, kind: &'c Kind) -> Vector<'c> {
        // SAFETY: the vector is of a STRUCT with such a field; the child lives as long as it.
        unsafe { Vector::new(ffi::duckdb_struct_vector_get_child(self.raw, index as u64), kind, self.len) }
    }

    /// # Safety
    /// `row` is in range and the vector is of a MAP of these kinds: a list of key-value structs.
    unsafe fn map(self, row: usize, key: &'c Kind, value: &'c Kind) -> Cell<'c> {
        // SAFETY: promised by the caller.
        unsafe {
            let length = to_usize(ffi::duckdb_list_vector_get_size(self.raw));
            let entries = ffi::duckdb_list_vector_get_child(self.raw);
            Cell::Map {
                keys: Vector::new(ffi::duckdb_struct_vector_get_child(entries, 0), key, length),
                values: Vector::new(ffi::duckdb_struct_vector_get_child(entries, 1), value, length),
                entries: self.entries(row),
            }
        }
    }

    /// # Safety
    /// `row` is in range and the vector is of a UNION of these members: a struct whose first field
    /// is the number of the chosen member.
    unsafe fn union(self, row: usize, members: &'c [Kind]) -> Cell<'c> {
        // SAFETY: promised by the caller.
        unsafe {
            let tags = Vector::new(ffi::duckdb_struct_vector_get_child(self.raw, 0), &Kind::UTinyInt, self.len);
            let Cell::Unsigned(tag) = tags.cell(row) else { return Cell::Null };
            let Some(kind) = members.get(to_usize(tag)) else { return Cell::Null };
            let member = ffi::duckdb_struct_vector_get_child(self.raw, tag + 1);
            Cell::Union(Vector::new(member, kind, self.len), row)
        }
    }
}

fn enum_cell(names: &[String], number: i128, storage: Storage) -> Cell<'_> {
    // The numbers are unsigned in DuckDB.
    let number = match storage {
        Storage::Bits8 => number & 0xff,
        Storage::Bits16 => number & 0xffff,
        _ => number & 0xffff_ffff,
    };
    let name = usize::try_from(number).ok().and_then(|number| names.get(number));
    name.map_or(Cell::Null, |name| Cell::Text(Cow::Borrowed(name)))
}

fn time_tz(time: ffi::duckdb_time_tz) -> Cell<'static> {
    // SAFETY: the function only computes.
    let parts = unsafe { ffi::duckdb_from_time_tz(time) };
    let clock = parts.time;
    let seconds = i64::from(clock.hour) * 3600 + i64::from(clock.min) * 60 + i64::from(clock.sec);
    Cell::TimeTz { micros: seconds * 1_000_000 + i64::from(clock.micros), offset_seconds: parts.offset }
}

/// All sizes are of things in memory, so they fit.
fn to_usize(size: u64) -> usize {
    usize::try_from(size).unwrap_or(0)
}
