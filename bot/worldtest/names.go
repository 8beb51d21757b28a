package worldtest

import "fmt"

var (
	manners = []string{"brisk", "calm", "dapper", "eager", "fond", "glad", "hardy", "jolly", "keen", "lucid", "merry", "nimble", "plucky", "quiet", "ready", "sunny", "tidy", "upbeat", "vivid", "witty"}
	animals = []string{"adder", "bittern", "curlew", "dunlin", "egret", "ferret", "gannet", "hare", "jackdaw", "kestrel", "linnet", "marten", "newt", "osprey", "plover", "redstart", "shrew", "teal", "vole", "wren"}
	fields  = []string{"courts", "prisons", "probation", "legal-aid", "tribunals", "juries", "coroners", "visits", "bookings", "payments", "data", "platform", "security", "networks", "identity", "observability", "forms", "search", "letters", "archives"}
	crafts  = []string{"developers", "operations", "admins", "readers", "analysts"}
)

// logins makes n logins, all different: "brisk-adder" … "witty-wren-2".
func logins(n int) []string {
	var list []string
	for round := 1; len(list) < n; round++ {
		for _, animal := range animals {
			for _, manner := range manners {
				login := manner + "-" + animal
				if round > 1 {
					login = fmt.Sprintf("%s-%d", login, round)
				}
				list = append(list, login)
			}
		}
	}
	return list[:n]
}

// slugs makes n slugs of teams, all different.
func slugs(n int) []string {
	var list []string
	for round := 1; len(list) < n; round++ {
		for _, craft := range crafts {
			for _, field := range fields {
				slug := field + "-" + craft
				if round > 1 {
					slug = fmt.Sprintf("%s-%d", slug, round)
				}
				list = append(list, slug)
			}
		}
	}
	return list[:n]
}
