<?php
// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

// A program with PHP's pgsql or PDO left as it comes: pgsql|pdo HOST PORT LABEL. One turn for each line on stdin, one
// line each.

[, $driver, $host, $port, $label] = $argv;
$length = strlen($label) * 1000;

// Every program has the same names for other texts.
$texts = [
    'who' => "select '$label' as who, \$1::int + $length as n",
    'series' => "select g, '$label' as who from generate_series(1, \$1::int % 4) g",
    'insert' => "insert into driver_rows (who, n) values ('$label', \$1) returning n",
    'count' => "select count(*), sum(n) from driver_rows where who = '$label' and n <= \$1",
    'fail' => "select '$label' as who, 12 / (\$1::int % 3) as n",
];

if ($driver === 'pgsql') {
    $connection = pg_connect("host=$host port=$port user=bench dbname=bench application_name=$label sslmode=disable");
    foreach ($texts as $name => $text) {
        pg_prepare($connection, $name, $text);
    }
    $answer = function ($sent) use ($connection) {
        $result = $sent ? pg_get_result($connection) : false;
        while (pg_get_result($connection)) {
        }
        return pg_result_error_field($result, PGSQL_DIAG_SQLSTATE) ?? pg_fetch_all($result);
    };
    $ask = fn($name, $n) => $answer(pg_send_execute($connection, $name, [$n]));
    $once = fn($n) => $answer(pg_send_query_params($connection, "select '$label once' as who, \$1::text as n", [$n]));
    $run = fn($sql) => pg_query($connection, $sql);
} else {
    $connection = new PDO("pgsql:host=$host;port=$port;user=bench;dbname=bench;application_name=$label;sslmode=disable");
    // PDO calls them pdo_stmt_00000001 and so on, and sends DEALLOCATE when an object goes.
    $prepare = fn($text) => $connection->prepare(str_replace('$1', '?', $text));
    $kept = array_map($prepare, $texts);
    $fetch = function ($statement, $n) {
        try {
            $statement->execute([$n]);
            return $statement->fetchAll(PDO::FETCH_NUM);
        } catch (PDOException $error) {
            return $error->getCode();
        }
    };
    $ask = fn($name, $n) => $fetch($n % 2 ? $kept[$name] : $prepare($texts[$name]), $n);
    $once = fn($n) => $fetch($prepare("select '$label once', \$1::text"), $n);
    $run = fn($sql) => $connection->exec($sql);
}

while (($line = fgets(STDIN)) !== false) {
    $n = (int) $line;
    $seen = [];
    $together = $n % 3 === 0;
    if ($together) {
        $run('begin');
    }
    foreach (array_keys($texts) as $name) {
        if (!$together || $name !== 'fail') {
            $seen[] = $ask($name, $n);
        }
    }
    if ($together) {
        $run('commit');
    }
    $seen[] = $once($n);
    echo json_encode($seen), "\n";
}
