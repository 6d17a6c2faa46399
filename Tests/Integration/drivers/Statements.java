// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.sql.*;
import java.util.ArrayList;
import java.util.List;

/** A program with pgjdbc left as it comes: HOST PORT LABEL. One turn for each line on stdin, one line each. */
public class Statements {
    static List<String> rows(ResultSet result) throws SQLException {
        List<String> rows = new ArrayList<>();
        int columns = result.getMetaData().getColumnCount();
        while (result.next()) {
            StringBuilder row = new StringBuilder();
            for (int column = 1; column <= columns; column++) row.append(result.getObject(column)).append('|');
            rows.add(row.toString());
        }
        return rows;
    }

    public static void main(String[] arguments) throws Exception {
        String label = arguments[2];
        String url = "jdbc:postgresql://" + arguments[0] + ":" + arguments[1] + "/bench?user=bench&ApplicationName=" + label;
        try (Connection connection = DriverManager.getConnection(url)) {
            // Five executions make pgjdbc give a statement a name: S_1, S_2 and so on, in every program.
            PreparedStatement[] kept = {
                connection.prepareStatement("select '" + label + "' as who, ?::int + " + label.length() * 1000),
                connection.prepareStatement("select g, '" + label + "' from generate_series(1, ? % 4) g"),
                connection.prepareStatement("insert into driver_rows (who, n) values ('" + label + "', ?) returning n"),
                connection.prepareStatement("select count(*), sum(n) from driver_rows where who = '" + label + "' and n <= ?"),
                connection.prepareStatement("select '" + label + "', 12 / (? % 3)"),
            };
            PreparedStatement series = connection.prepareStatement("select g, '" + label + "' from generate_series(1, 50 + ?) g");
            series.setFetchSize(7);
            BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
            for (String line; (line = input.readLine()) != null; ) {
                int n = Integer.parseInt(line.trim());
                List<String> seen = new ArrayList<>();
                connection.setAutoCommit(n % 3 != 0);
                for (int index = 0; index < kept.length; index++) {
                    if (!connection.getAutoCommit() && index == 4) continue;
                    try {
                        kept[index].setInt(1, n);
                        seen.add(rows(kept[index].executeQuery()).toString());
                    } catch (SQLException error) {
                        seen.add(error.getSQLState());
                    }
                }
                if (!connection.getAutoCommit()) {
                    // Rows are fetched seven at a time, from a portal with a name.
                    series.setInt(1, n);
                    seen.add(rows(series.executeQuery()).toString());
                    connection.commit();
                    try (Statement batch = connection.createStatement()) {
                        batch.addBatch("insert into driver_rows (who, n) values ('" + label + "', 0)");
                        batch.addBatch("delete from driver_rows where who = '" + label + "' and n = 0");
                        for (int count : batch.executeBatch()) seen.add("" + count);
                    }
                    connection.rollback();
                }
                try (PreparedStatement once = connection.prepareStatement("select '" + label + " once', ?::text")) {
                    once.setString(1, "turn " + n);
                    seen.add(rows(once.executeQuery()).toString());
                }
                if (!connection.getAutoCommit()) connection.commit();
                System.out.println(seen);
            }
        }
    }
}
