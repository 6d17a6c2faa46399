// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

/// What an ini file may say, and what is said about one that may not be.
@Suite struct PgBouncerFileTests {
    @Test func everythingThatIsWrongIsSaidAtOnce() {
        let files = IniFiles(
            """
            [pgbouncr]
            a = 1
            [databases]
            a = host=/tmp pool_mode=foo por=1
            c = password=ab cd=3 host=/tmp
            pgbouncer = host=/tmp
            "d e" = host=::1,nonsense..x
            e = host=
            f = host=/tmp connect_query='x
            g = port
            [pgbouncer]
            max_client_con = 5
            default_pool_size = 20 ; twenty
            query_timeout = 5s
            auth_type = ldaps
            auth_file = users
            listen_port = 0
            server_round_robin = yes
            client_tls_sslmode = verify-cb
            query_wait_notify = 1e99
            unix_socket_dir = @x
            min_pool_size = 99999999999
            pool_size = 3
            zzz = 1
            admin_users = x
            [peers]
            0 = host=x
            """)
        let found = files.findings.map { $0.hasPrefix("main.ini:") ? String($0.dropFirst(9)) : $0 }
        #expect(
            found.filter { !$0.hasPrefix("24:") } == [
                "1:1: error: unknown section [pgbouncr]; allowed: [pgbouncer], [databases], [users], [peers]\nhint: did you mean [pgbouncer]?",
                "4:25: error: pool_mode: unknown value \"foo\"; allowed: session, transaction, statement",
                "4:29: error: unknown key \"por\" in [databases]\nhint: did you mean port?",
                "5:17: error: unknown key behind a password\nhint: a value with blanks stands in single quotes",
                "6:1: error: the database \"pgbouncer\" is the console's",
                "7:9: error: host: \"nonsense..x\" is neither an address nor a host name",
                "8:10: error: expected a value behind =",
                "9:29: error: the value has no closing quote",
                "10:5: error: expected key=value\nhint: a value with blanks stands in single quotes",
                "12:1: error: unknown key \"max_client_con\" in [pgbouncer]\nhint: did you mean max_client_conn?",
                "13:21: error: default_pool_size: expected a whole number of at least 0, found \"20 ; twenty\"",
                "14:17: error: query_timeout: expected a number of seconds of at least 0, found \"5s\"\nhint: the value is in seconds and has no suffix",
                "15:13: error: auth_type: unknown value \"ldaps\"; allowed: any, trust, plain, md5, scram-sha-256, cert, hba, pam, ldap\nhint: did you mean ldap?",
                "17:15: error: listen_port: 0 is out of range; expected a whole number from 1 to 65535",
                "18:22: error: server_round_robin: expected 0 or 1, found \"yes\"",
                "19:22: error: client_tls_sslmode: unknown value \"verify-cb\"; allowed: disable, allow, prefer, require, verify-ca, verify-full\nhint: did you mean verify-ca?",
                "20:21: error: query_wait_notify: 1e99 is out of range",
                "21:1: error: unix_socket_dir: there are no sockets in the abstract namespace; expected a directory",
                "22:17: error: min_pool_size: 99999999999 is out of range; expected a whole number of at least 0",
                "23:1: error: unknown key \"pool_size\" in [pgbouncer]\nhint: it belongs into [databases] or [users] or [peers]",
                "27:1: error: the number of a peer is a whole number from 1 to 16383, not \"0\"",
            ])
        #expect(
            found.contains {
                $0.hasPrefix("24:1: error: unknown key \"zzz\" in [pgbouncer]\nhint: allowed: logfile, ")
            })
    }

    @Test func aSectionMustComeFirst() {
        #expect(
            IniFiles("a = 1\nb = 2\n[pgbouncer]\n\(iniAccess)").findings == [
                "main.ini:1:1: error: there is no section in front of \"a\"\nhint: a file begins with [pgbouncer] or another section"
            ])
    }

    @Test func keysWithoutEffectHaveOneWarningEach() {
        let files = IniFiles(
            "[pgbouncer]\npkt_buf = 1\npkt_buf = 2\nservice_name = x\n\(iniAccess)[peers]\n1 = host=x port=1\n"
        )
        #expect(
            files.findings == [
                "main.ini:3:1: warning: 'pkt_buf' has no effect: workers have buffers of their own",
                "main.ini:4:1: warning: 'service_name' has no effect: it is for Windows",
                "main.ini:8:1: warning: no peer is asked: there is no peer_id, by which they know this pooler",
            ])
    }

    @Test func theLastOfTwoHolds() throws {
        let settings = try IniFiles(
            """
            [databases]
            a = host=127.0.0.1 port=1
            a = host=127.0.0.2 host=127.0.0.3
            [pgbouncer]
            max_client_conn = 1
            \(iniAccess)
            max_client_conn = 2
            """
        ).settings
        #expect(settings.clientMax == 2)
        let storage = try #require(settings.storages.first { $0.name == "a" })
        #expect(storage.backends == .hosts([StorageHost(.address("127.0.0.3"))]) && storage.port == 5432)
    }

    @Test func theSectionOfThePoolerBeginsAnewWhereItComesAgain() throws {
        let files = IniFiles(
            """
            [pgbouncer]
            pool_mode = statement
            pkt_buf = 1
            [databases]
            a =
            [users]
            [databases]
            b =
            [pgbouncer]
            \(iniAccess)
            """)
        let settings = try files.settings
        #expect(settings.storages.map(\.name) == ["a", "b", "pgbouncer"])
        #expect(settings.routes.allSatisfy { $0.pool == .session })
        #expect(
            files.findings == [
                "main.ini:9:1: warning: [pgbouncer] comes again: what it has said before has no effect"
            ])
    }

    @Test func numbersAreReadAsInC() {
        let numbers = ["0": 0, "10": 10, "010": 8, "0x1F": 31, "-3": -3, "+3": 3]
        for (text, number) in numbers { #expect(IniKey.number(text) == number, "\(text)") }
        for text in ["", "-", "x", "1x", "0x", "09", "1.5", "--1", "+-1", "0x-1", " 1", "１"] {
            #expect(IniKey.number(text) == nil, "\(text)")
        }
        let times = ["0": 0, "1": 1, "1.5": 1.5, ".5": 0.5, "1e2": 100]
        for (text, seconds) in times { #expect(IniKey.seconds(text) == seconds, "\(text)") }
        for text in ["", "-1", "1s", "nan", "inf", "0x1p3", "1,5"] {
            #expect(IniKey.seconds(text) == nil, "\(text)")
        }
    }

    @Test func aFileThatNobodyCouldComeByIsRefused() {
        #expect(
            IniFiles("[pgbouncer]\nadmin_users = a\n").findings == [
                "main.ini:1:1: error: auth_type md5 needs auth_file, which has the users that may come"
            ])
        #expect(
            IniFiles("[pgbouncer]\n\(iniAccess)unix_socket_dir =\n").findings == [
                "main.ini:4:1: error: no client could connect: there is neither listen_addr nor unix_socket_dir"
            ])
        #expect(
            IniFiles("[pgbouncer]\nauth_file = none\nadmin_users = a\n").findings == [
                "main.ini:2:1: error: auth_file: \"none\" cannot be read: no such file"
            ])
        #expect(
            IniFiles("[databases]\n* = auth_user=u\n[pgbouncer]\n\(iniAccess)").findings == [
                "main.ini:2:5: error: auth_user for the database * needs auth_dbname, where the query is asked"
            ])
    }
}
