-- An Apache Flink job over topics of Kafka for mlwatch. Run it with sql-client.sh -f FILE and the jar of the Kafka SQL
-- connector. It writes, as files that appear whole with a checkpoint:
--   rollup rows:       mlwatch /var/lib/rollups       traffic, latency and performance by minute; few, whatever the traffic
--   the records:       mlwatch /var/log/predictions   everything, drift and segments too
-- Leave out the INSERTs that you do not want. Change brokers, topics, paths, and the columns after status: those are the
-- features. Rollup rows are sums: the topics must have each request and each label once.

SET 'table.local-time-zone' = 'UTC';
SET 'execution.checkpointing.interval' = '30 s';  -- a file appears with a checkpoint, and is whole then

CREATE TABLE predictions (
    ts TIMESTAMP_LTZ(3), request_id STRING, model STRING, version STRING, prediction INT, score DOUBLE,
    latency_ms DOUBLE, status INT, amount DOUBLE, country STRING,
    WATERMARK FOR ts AS ts - INTERVAL '10' SECOND
) WITH (
    'connector' = 'kafka', 'topic' = 'predictions', 'properties.bootstrap.servers' = 'broker:9092',
    'properties.group.id' = 'mlwatch-files', 'scan.startup.mode' = 'earliest-offset',
    'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601'
);

CREATE TABLE labels (
    ts TIMESTAMP_LTZ(3), request_id STRING, label INT
) WITH (
    'connector' = 'kafka', 'topic' = 'labels', 'properties.bootstrap.servers' = 'broker:9092',
    'properties.group.id' = 'mlwatch-files', 'scan.startup.mode' = 'earliest-offset',
    'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601'
);

CREATE TABLE prediction_files (
    ts TIMESTAMP_LTZ(3), request_id STRING, model STRING, version STRING, prediction INT, score DOUBLE,
    latency_ms DOUBLE, status INT, amount DOUBLE, country STRING, `day` STRING
) PARTITIONED BY (`day`) WITH (
    'connector' = 'filesystem', 'path' = 'file:///var/log/predictions/predictions',
    'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601', 'json.encode.ignore-null-fields' = 'true',
    'sink.rolling-policy.rollover-interval' = '1 min', 'sink.rolling-policy.check-interval' = '10 s'
);

CREATE TABLE label_files (
    ts TIMESTAMP_LTZ(3), request_id STRING, label INT, `day` STRING
) PARTITIONED BY (`day`) WITH (
    'connector' = 'filesystem', 'path' = 'file:///var/log/predictions/labels',
    'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601',
    'sink.rolling-policy.rollover-interval' = '1 min', 'sink.rolling-policy.check-interval' = '10 s'
);

CREATE TABLE traffic_rows (
    bucket TIMESTAMP(3), model STRING, version STRING, n BIGINT, failed BIGINT, client BIGINT, server BIGINT,
    n_latency BIGINT, sum_latency DOUBLE, sum_latency_sq DOUBLE, max_latency DOUBLE,
    first_ts TIMESTAMP(3), last_ts TIMESTAMP(3)
) WITH (
    'connector' = 'filesystem', 'path' = 'file:///var/lib/rollups/r_traffic', 'format' = 'json'
);

CREATE TABLE latency_rows (
    bucket TIMESTAMP(3), model STRING, version STRING, bin INT, n BIGINT
) WITH (
    'connector' = 'filesystem', 'path' = 'file:///var/lib/rollups/r_latency', 'format' = 'json'
);

CREATE TABLE outcome_rows (
    bucket TIMESTAMP(3), model STRING, version STRING, label STRING, prediction STRING, n BIGINT,
    n_score BIGINT, n_wild BIGINT, sum_score DOUBLE, sum_score_sq DOUBLE, sum_ln_p DOUBLE, sum_ln_q DOUBLE
) WITH (
    'connector' = 'filesystem', 'path' = 'file:///var/lib/rollups/r_outcomes', 'format' = 'json'
);

CREATE TABLE score_rows (
    bucket TIMESTAMP(3), model STRING, version STRING, label STRING, prediction STRING, bin INT,
    n BIGINT, sum_score DOUBLE
) WITH (
    'connector' = 'filesystem', 'path' = 'file:///var/lib/rollups/r_scores', 'format' = 'json'
);

-- A label counts in the minute of its prediction, however late it is, so it is a row of its own at once: no window waits.
CREATE VIEW labelled AS
SELECT CAST(p.ts AS TIMESTAMP(3)) AS ts, p.model, p.version, CAST(l.label AS STRING) AS label,
    CAST(p.prediction AS STRING) AS prediction, p.score,
    LEAST(GREATEST(p.score, {epsilon}), 1 - {epsilon}) AS inside
FROM predictions AS p JOIN labels AS l ON p.request_id = l.request_id
    AND l.ts BETWEEN p.ts - INTERVAL '1' HOUR AND p.ts + INTERVAL '30' DAY
WHERE COALESCE(p.status, 200) < 400 AND p.prediction IS NOT NULL AND l.label IS NOT NULL;

EXECUTE STATEMENT SET
BEGIN
    INSERT INTO prediction_files
    SELECT ts, request_id, model, version, prediction, score, latency_ms, status, amount, country,
        DATE_FORMAT(ts, 'yyyy-MM-dd')
    FROM predictions;

    INSERT INTO label_files
    SELECT ts, request_id, label, DATE_FORMAT(ts, 'yyyy-MM-dd') FROM labels;

    INSERT INTO traffic_rows
    SELECT window_start, model, version, COUNT(*),
        COUNT(*) FILTER (WHERE COALESCE(status, 200) >= 400 OR prediction IS NULL),
        COUNT(*) FILTER (WHERE status BETWEEN 400 AND 499), COUNT(*) FILTER (WHERE status >= 500),
        COUNT(latency_ms), SUM(latency_ms), SUM(latency_ms * latency_ms), MAX(latency_ms),
        MIN(CAST(ts AS TIMESTAMP(3))), MAX(CAST(ts AS TIMESTAMP(3)))
    FROM TUMBLE(TABLE predictions, DESCRIPTOR(ts), INTERVAL '1' MINUTE)
    GROUP BY window_start, window_end, model, version;

    INSERT INTO latency_rows
    SELECT window_start, model, version, bin, COUNT(*)
    FROM (
        SELECT window_start, window_end, model, version, {latency_bin} AS bin
        FROM TUMBLE(TABLE predictions, DESCRIPTOR(ts), INTERVAL '1' MINUTE)
        WHERE latency_ms IS NOT NULL
    )
    GROUP BY window_start, window_end, model, version, bin;

    INSERT INTO outcome_rows
    SELECT FLOOR(ts TO MINUTE), model, version, label, prediction, 1,
        CASE WHEN score BETWEEN 0 AND 1 THEN 1 ELSE 0 END, CASE WHEN score < 0 OR score > 1 THEN 1 ELSE 0 END,
        CASE WHEN score BETWEEN 0 AND 1 THEN score END, CASE WHEN score BETWEEN 0 AND 1 THEN score * score END,
        CASE WHEN score BETWEEN 0 AND 1 THEN LN(inside) END, CASE WHEN score BETWEEN 0 AND 1 THEN LN(1 - inside) END
    FROM labelled;

    INSERT INTO score_rows
    SELECT FLOOR(ts TO HOUR) + FLOOR(EXTRACT(MINUTE FROM ts) / 15) * INTERVAL '15' MINUTE, model, version, label,
        prediction, {score_bin}, 1, score
    FROM labelled WHERE score IS NOT NULL;
END;
