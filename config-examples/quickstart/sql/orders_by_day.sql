SELECT
    ordered_on AS day,
    count(*) AS orders,
    sum(quantity)::BIGINT AS books,
    sum(quantity * price)::DOUBLE AS value
FROM orders
JOIN books USING (book_id)
WHERE ordered_on BETWEEN $from_day AND $to_day
  AND ($status = 'any' OR status = $status)
GROUP BY ordered_on
ORDER BY ordered_on
