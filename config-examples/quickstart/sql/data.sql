-- A small bookshop: 40 books, 60 customers, 600 orders, 24 documents.
-- Every value follows from a row's number, so the data is the same everywhere.

CREATE OR REPLACE TABLE books AS
WITH words AS (
    SELECT
        ['Silent', 'Golden', 'Northern', 'Hidden', 'Broken', 'Paper', 'Winter', 'Crooked'] AS first_words,
        ['Harbour', 'Garden', 'Atlas', 'Letters', 'Orchard', 'Clock', 'Island', 'Archive', 'Bridge', 'Mirror'] AS last_words,
        ['Ines Falk', 'Tomas Rehn', 'Mara Okafor', 'Yusuf Aydin', 'Clara Voss', 'Peter Lind'] AS authors,
        ['novel', 'crime', 'history', 'travel', 'science'] AS genres
)
SELECT
    n::INTEGER AS book_id,
    'The ' || first_words[1 + n % 8] || ' ' || last_words[1 + (n * 3) % 10] AS title,
    authors[1 + (n * 5 + n // 6) % 6] AS author,
    genres[1 + (n * 7) % 5] AS genre,
    (7 + (n * 37) % 30 + 0.90)::DECIMAL(8, 2) AS price,
    (DATE '1995-03-01' + ((n * 271) % 10000)::INTEGER) AS published_on
FROM words, generate_series(1, 40) AS numbers(n);

CREATE OR REPLACE TABLE customers AS
WITH words AS (
    SELECT
        ['Anna', 'Bela', 'Cem', 'Dora', 'Emil', 'Fatma', 'Georg', 'Hana', 'Igor', 'Jana'] AS given_names,
        ['Abel', 'Brandt', 'Costa', 'Demir', 'Ekström', 'Fischer'] AS family_names,
        ['Lisbon', 'Vienna', 'Izmir', 'Bergen', 'Tartu'] AS cities
)
SELECT
    n::INTEGER AS customer_id,
    given_names[1 + n % 10] || ' ' || family_names[1 + (n // 10) % 6] AS name,
    'customer' || n || '@example.com' AS email,
    '+00 555 ' || lpad((n * 7919 % 10000)::VARCHAR, 4, '0') AS phone,
    cities[1 + (n * 3) % 5] AS city,
    (DATE '2021-01-04' + (n * 17)::INTEGER) AS customer_since
FROM words, generate_series(1, 60) AS numbers(n);

CREATE OR REPLACE TABLE orders AS
SELECT
    n::INTEGER AS order_id,
    (1 + (n * 13 + n // 7) % 60)::INTEGER AS customer_id,
    (1 + (n * 11 + n // 5) % 40)::INTEGER AS book_id,
    (1 + (n * 5) % 3)::INTEGER AS quantity,
    (DATE '2024-01-02' + (n * 729 // 600)::INTEGER) AS ordered_on,
    CASE WHEN n % 29 = 0 THEN 'returned' WHEN n > 580 THEN 'open' ELSE 'delivered' END AS status
FROM generate_series(1, 600) AS numbers(n);

CREATE OR REPLACE TABLE documents AS
WITH words AS (
    SELECT
        ['ada', 'ben'] AS owners,
        ['Stock count', 'Supplier letter', 'Reading evening', 'Shelf plan', 'Price check', 'Holiday rota'] AS subjects
)
SELECT
    n::INTEGER AS document_id,
    subjects[1 + n % 6] || ' ' || (2024 + n // 13) AS title,
    'Notes of ' || owners[1 + n % 2] || ' on: ' || lower(subjects[1 + n % 6]) AS body,
    owners[1 + n % 2] AS created_by,
    (DATE '2024-02-01' + (n * 23)::INTEGER) AS created_on
FROM words, generate_series(1, 24) AS numbers(n);
