//! The functions that strangers may call in their SQL.
//!
//! They are named one by one, because DuckDB's own list grows with each version. Each of them gives
//! something about as large as what it is given, in a time about as long: a step of DuckDB cannot be
//! interrupted, and what a function holds meanwhile is not counted against `memory_limit`. So those
//! that compare two texts letter by letter are not here, nor those that fill up, pad or repeat.

use serde_json::Value;

/// Operators, and what DuckDB's parser writes for brackets, lists and patterns.
const SYNTAX: &str = "+ - * / // % ^ ** & | ~ << >> ! !~~ ~~ ~~~ ~~* !~~* @ ^@ @> <@ && || -> ->> \
    <-> <=> like_escape ilike_escape not_like_escape not_ilike_escape regexp_full_match \
    array_extract array_slice list_extract list_element list_slice list_value list_pack struct_extract struct_extract_at \
    struct_pack row map map_extract map_extract_value element_at map_from_entries array_value union_value \
    list_transform list_filter array_transform array_filter list_apply array_apply apply filter \
    list_contains contains coalesce ifnull nullif if case operator";

/// Numbers.
const NUMBERS: &str = "abs acos acosh asin asinh atan atan2 atanh bit_count cbrt ceil ceiling cos cosh cot degrees divide \
    even exp factorial fdiv floor fmod gamma gcd greatest greatest_common_divisor isfinite isinf isnan lcm least \
    least_common_multiple lgamma ln log log10 log2 mod multiply nextafter pi pow power radians random round round_even \
    roundbankers sign signbit sin sinh sqrt subtract add tan tanh trunc xor hash md5 md5_number sha1 sha256 \
    uuid uuidv4 uuidv7 gen_random_uuid width_bucket";

/// Texts.
const TEXTS: &str = "ascii bit_length char_length character_length chr concat length len strlen \
    lcase lower ucase upper left left_grapheme right right_grapheme length_grapheme ltrim rtrim trim substr substring \
    substring_grapheme starts_with ends_with prefix suffix position strpos instr reverse split split_part str_split \
    string_split string_to_array str_split_regex string_split_regex regexp_split_to_array regexp_matches regexp_extract \
    regexp_extract_all regexp_escape nfc_normalize strip_accents translate unicode ord octet_length to_base64 base64 \
    from_base64 to_hex hex from_hex unhex url_encode url_decode parse_filename parse_dirname parse_dirpath parse_path \
    encode decode format_bytes formatreadablesize formatreadabledecimalsize bin to_binary unbin from_binary initcap";

/// Times.
const TIMES: &str = "age century current_date current_localtime current_localtimestamp current_time current_timestamp \
    date_add date_diff date_part date_sub date_trunc datediff datepart datesub datetrunc datetime_diff day dayname dayofmonth \
    dayofweek dayofyear decade epoch epoch_ms epoch_ns epoch_us era get_current_time get_current_timestamp hour isodow \
    isoyear julian last_day localtime localtimestamp make_date make_time make_timestamp make_timestamp_ms make_timestamp_ns \
    make_timestamptz microsecond millennium millisecond minute month monthname nanosecond now quarter second strftime strptime time_bucket timetz_byte_comparable timezone \
    timezone_hour timezone_minute to_centuries to_days to_decades to_hours to_microseconds to_millennia to_milliseconds \
    to_minutes to_months to_quarters to_seconds to_timestamp to_weeks to_years today transaction_timestamp try_strptime \
    week weekday weekofyear year yearweek normalized_interval";

/// Lists, maps and structures.
const NESTED: &str = "array_length cardinality flatten array_cat array_concat list_cat list_concat array_append \
    list_append array_prepend list_prepend array_push_back array_push_front array_pop_back array_pop_front array_contains \
    array_has array_has_all array_has_any list_has list_has_all list_has_any array_indexof array_position list_indexof \
    list_position array_distinct list_distinct array_unique list_unique array_sort list_sort array_reverse_sort \
    list_reverse_sort list_grade_up array_grade_up list_reverse array_reverse array_intersect list_intersect list_select \
    array_select list_where array_where list_zip array_zip \
    list_sum list_avg list_min list_max list_count list_any_value list_first list_last list_median list_mode list_product \
    list_stddev_pop list_stddev_samp list_var_pop list_var_samp list_bool_and list_bool_or map_concat map_contains \
    map_contains_entry map_contains_value map_entries map_keys map_values struct_insert struct_update struct_keys \
    struct_concat struct_contains struct_has struct_position struct_indexof union_extract union_tag unnest unlist enum_code \
    enum_first enum_last enum_range enum_range_boundary";

/// JSON.
const JSON: &str = "json json_array json_array_length json_contains json_each json_exists json_extract json_extract_path \
    json_extract_path_text json_extract_string json_keys json_merge_patch json_object json_quote json_structure json_type \
    json_valid json_value json_transform json_transform_strict from_json from_json_strict to_json array_to_json row_to_json \
    json_group_array json_group_object json_group_structure";

/// Over rows.
const AGGREGATES: &str = "any_value approx_count_distinct approx_quantile approx_top_k arg_max arg_max_null argmax arg_min \
    arg_min_null argmin array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count count_if count_star countif \
    covar_pop covar_samp entropy favg first fsum geomean geometric_mean group_concat histogram kahan_sum kurtosis \
    kurtosis_pop last list listagg mad max max_by mean median min min_by mode product quantile quantile_cont quantile_disc \
    regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy reservoir_quantile sem \
    skewness stddev stddev_pop stddev_samp string_agg sum sum_no_overflow sumkahan var_pop var_samp variance arbitrary \
    grouping grouping_id \
    row_number rank dense_rank rank_dense percent_rank cume_dist ntile lag lead first_value last_value nth_value fill";

/// Who asks, and what things are.
const OTHERS: &str = "typeof current_query current_database current_schema \
    version can_cast_implicitly error try alias constant_or_null";

/// Texts that take a second one into each place: with it as a short constant alone, or a short text
/// would become very long in one step.
const JOINING: [(&str, usize); 7] = [
    ("replace", 2),
    ("regexp_replace", 2),
    ("string_agg", 1),
    ("group_concat", 1),
    ("listagg", 1),
    ("array_to_string", 1),
    ("concat_ws", 0),
];
/// How long such a constant may be in the tree, in bytes.
const LITERAL_MAX: usize = 128;

/// Every name of these lists.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let lists = [SYNTAX, NUMBERS, TEXTS, TIMES, NESTED, JSON, AGGREGATES, OTHERS];
    lists.into_iter().flat_map(str::split_whitespace).chain(JOINING.iter().map(|(name, _)| *name))
}

/// Which argument of that function has to be a short constant.
pub(super) fn joint(name: &str) -> Option<usize> {
    JOINING.iter().find(|(known, _)| *known == name).map(|(_, at)| *at)
}

/// Whether an argument, as it stands in the tree of the SQL, is one.
pub(super) fn is_short_constant(argument: &Value) -> bool {
    let literal = argument.get("expression").filter(|expression| expression.get("class") == Some(&"CONSTANT".into()));
    let literal = literal.and_then(|expression| expression.get("literal"));
    literal.is_some_and(|literal| literal.to_string().len() <= LITERAL_MAX)
}
