// Package chaos has no code, only tests: they run the built program against the
// Slack, GitHub and AWS of bot/worldtest and are unkind to it. It is killed with
// kill -9 right before and right after each call that changes something, its
// connections are reset, frozen and closed under load, and Slack answers late,
// badly or not at all. What people see and what becomes of AWS must be the same
// as in a run that nobody disturbed.
//
// Each kill is played on SQLite, where the program is started anew, and, where
// DATABASE_URL names a PostgreSQL of which one is superuser, on PostgreSQL too,
// where another replica takes over: one with the same settings, and one with others,
// which waits for a minute whether somebody comes back who has those of the dead one.
//
//	go test ./bot/chaos                                    # a sample of the kills, another one each time
//	go test ./bot/chaos -chaos.seed 42                     # the same sample again
//	go test ./bot/chaos -chaos.part 0.2                    # a fifth of the kills, and a minute of load
//	go test ./bot/chaos -timeout 40m -every                # every kill, and a minute of load
//	go test ./bot/chaos -chaos.only 'scim-sync on SQLite, killed before slack chat.postMessage #2'
package chaos
