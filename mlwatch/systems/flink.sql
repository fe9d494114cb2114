-- An Apache Flink job that writes topics of Kafka as files that mlwatch reads. Run it with sql-client.sh -f FILE and the
-- jar of the Kafka SQL connector; then mlwatch /var/log/predictions. Change brokers, topics, paths, and the columns after
-- status: those are the features.

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

-- The same minutes as Flink counts them, for other systems; not below the directory that mlwatch reads.
CREATE TABLE minutes (
    `minute` TIMESTAMP(3), model STRING, version STRING, predictions BIGINT, errors BIGINT, mean_latency_ms DOUBLE
) WITH (
    'connector' = 'filesystem', 'path' = 'file:///var/lib/rollups/minutes', 'format' = 'json'
);

EXECUTE STATEMENT SET
BEGIN
    INSERT INTO prediction_files
    SELECT ts, request_id, model, version, prediction, score, latency_ms, status, amount, country,
        DATE_FORMAT(ts, 'yyyy-MM-dd')
    FROM predictions;

    INSERT INTO label_files
    SELECT ts, request_id, label, DATE_FORMAT(ts, 'yyyy-MM-dd') FROM labels;

    INSERT INTO minutes
    SELECT window_start, model, version, COUNT(*), COUNT(*) FILTER (WHERE status >= 400), AVG(latency_ms)
    FROM TUMBLE(TABLE predictions, DESCRIPTOR(ts), INTERVAL '1' MINUTE)
    GROUP BY window_start, window_end, model, version;
END;
