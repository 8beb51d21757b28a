package awstest

import (
	"encoding/json"
	"slices"
	"strings"
)

// syncRun is one invocation of a SyncFunction.
type syncRun struct {
	SyncFunction
	cloud  *Cloud
	inv    *Invocation
	store  *IdentityStore
	writes int

	newUsers, newGroups []string // IDs of those made in this run
	late                bool     // the memberships at hand are lost or come with the next invocation
}

// synced is a user or a group as the function compares it: by a name in lower case.
type synced struct {
	id, name string
	emails   []Email
}

func (r *syncRun) run() {
	if r.Faults.NoReport {
		r.inv.OmitReport()
	}
	for _, line := range r.Faults.Noise {
		r.inv.Print(line)
	}
	if r.DryRun {
		r.inv.Log("INFO", "Mode: dry-run (set env var NOT_DRY_RUN to `true` to change)")
	}
	teams, err := r.teams()
	if err != nil {
		r.inv.Fail("HttpError", err.Error())
		return
	}
	r.syncGroups(teams)
	r.syncUsers(teams)
	r.syncMemberships(teams)
}

// teams is GitHub's answer as the function reads it: lower case, without the teams to ignore.
func (r *syncRun) teams() ([]Team, error) {
	if r.Teams == nil || r.Faults.EmptyGitHub {
		return nil, nil
	}
	answer, err := r.Teams()
	if err != nil {
		return nil, err
	}
	ignore := r.IgnoreTeams
	if ignore == nil {
		ignore = []string{"all-org-members", "business-units"}
	}
	var teams []Team
	for _, t := range answer {
		if slices.Contains(ignore, t.Slug) {
			continue
		}
		team := Team{Slug: strings.ToLower(t.Slug)}
		for _, login := range t.Members {
			team.Members = append(team.Members, strings.ToLower(login))
		}
		teams = append(teams, team)
	}
	return teams, nil
}

// listGroups leaves out the groups that come from Entra ID.
func (r *syncRun) listGroups() (all []synced) {
	r.call(func() {
		for _, g := range r.store.groups {
			if name := strings.ToLower(g.DisplayName); !strings.HasPrefix(name, "azure-aws-sso-") {
				all = append(all, synced{id: g.GroupId, name: name})
			}
		}
	})
	return all
}

func (r *syncRun) listUsers() (all []synced) {
	r.call(func() {
		for _, u := range r.store.users {
			name := strings.ToLower(strings.Replace(u.UserName, r.EmailSuffix, "", 1))
			all = append(all, synced{id: u.UserId, name: name, emails: u.Emails})
		}
	})
	return all
}

func (r *syncRun) syncGroups(teams []Team) {
	have := r.listGroups()
	for _, t := range teams {
		if named(have, t.Slug) == nil {
			r.write(SyncEntity{"create", "group", t.Slug}, "group "+t.Slug, func() {
				if r.store.groupNamed(t.Slug) == nil {
					r.newGroups = append(r.newGroups, r.store.createGroup(&storedGroup{DisplayName: t.Slug}).GroupId)
				}
			})
		}
	}
	for _, g := range have {
		if !slices.ContainsFunc(teams, func(t Team) bool { return t.Slug == g.name }) {
			r.write(SyncEntity{"delete", "group", g.name}, "group "+g.id, func() { r.store.deleteGroup(g.id) })
		}
	}
}

func (r *syncRun) syncUsers(teams []Team) {
	have := r.listUsers()
	var logins []string
	for _, t := range teams {
		for _, login := range t.Members {
			if !slices.Contains(logins, login) {
				logins = append(logins, login)
			}
		}
	}
	for _, login := range logins {
		if named(have, login) == nil {
			name := login + r.EmailSuffix
			r.write(SyncEntity{"create", "user", login}, "user "+name, func() {
				if r.store.userNamed(name) == nil {
					r.newUsers = append(r.newUsers, r.store.createUser(&storedUser{
						UserName: name, DisplayName: name,
						Name:   &personName{FamilyName: name, GivenName: name},
						Emails: []Email{{Value: name, Type: "work", Primary: true}},
					}).UserId)
				}
			})
		}
	}
	for _, u := range have {
		if slices.Contains(logins, u.name) {
			continue
		}
		if slices.ContainsFunc(u.emails, func(e Email) bool { return e.Type == "EntraId" }) {
			var mails []string
			for _, e := range u.emails {
				mails = append(mails, e.Value)
			}
			r.inv.Log("DEBUG", "Skipping deletion EntraID User: "+strings.Join(mails, ", "))
			continue
		}
		r.write(SyncEntity{"delete", "user", u.name}, "user "+u.id, func() { r.store.deleteUser(u.id) })
	}
}

func (r *syncRun) syncMemberships(teams []Team) {
	groups := r.listGroups()
	if r.Faults.BlindToNewGroups {
		groups = slices.DeleteFunc(groups, func(g synced) bool { return slices.Contains(r.newGroups, g.id) })
	}
	users := r.listUsers()
	if r.Faults.BlindToNewUsers {
		users = slices.DeleteFunc(users, func(u synced) bool { return slices.Contains(r.newUsers, u.id) })
	}
	for i, g := range groups {
		r.late = i == len(groups)-1 && (r.Faults.LoseLastGroup || r.Faults.ThawLastGroup)
		r.syncGroup(g, users, teams)
	}
}

func (r *syncRun) syncGroup(g synced, users []synced, teams []Team) {
	r.inv.Log("INFO", "Fetching group memberships for group "+g.id+" with up to 3 retries on throttling...")
	r.inv.Log("INFO", "Fetching group memberships for group "+g.id+", attempt 1 of 3...")
	type membership struct{ id, login string }
	var have []membership
	r.call(func() {
		for _, m := range r.store.memberships {
			if m.GroupId == g.id {
				name := ""
				if i := slices.IndexFunc(users, func(u synced) bool { return u.id == m.MemberId.UserId }); i >= 0 {
					name = users[i].name
				}
				have = append(have, membership{m.MembershipId, name})
			}
		}
	})
	at := slices.IndexFunc(teams, func(t Team) bool { return t.Slug == g.name })
	if at < 0 {
		r.inv.Log("WARN", "cannot find "+g.name+" - this group exists in identity store but not in github, these should have already been deleted or ignored")
		return
	}
	for _, login := range teams[at].Members {
		if slices.ContainsFunc(have, func(m membership) bool { return m.login == login }) {
			continue
		}
		entity := SyncEntity{"create", "membership", login + " in " + g.name}
		user := named(users, login)
		if user == nil {
			r.write(entity, "group membership for user undefined in group "+g.id, nil)
			continue
		}
		r.write(entity, "group membership for user "+user.id+" in group "+g.id, func() {
			if r.store.user(user.id) != nil && r.store.group(g.id) != nil && r.store.membershipOf(g.id, user.id) == nil {
				r.store.createMembership(g.id, user.id)
			}
		})
	}
	for _, m := range have {
		if !slices.Contains(teams[at].Members, m.login) {
			r.write(SyncEntity{"delete", "membership", m.login + " in " + g.name}, "membership "+m.id,
				func() { r.store.deleteMembership(m.id) })
		}
	}
}

func named(all []synced, name string) *synced {
	if i := slices.IndexFunc(all, func(s synced) bool { return s.name == name }); i >= 0 {
		return &all[i]
	}
	return nil
}

// call is one call to Identity Store; it takes Pace. A run that is over leaves here.
func (r *syncRun) call(do func()) {
	if !r.cloud.sleep(r.inv.Context(), r.Pace) {
		panic(endOfInvocation)
	}
	r.cloud.mu.Lock()
	defer r.cloud.mu.Unlock()
	if r.inv.expire(); r.inv.over {
		return
	}
	do()
}

// write prints the line about a thing and then does it; do of nil is a call that Identity Store refuses.
func (r *syncRun) write(e SyncEntity, what string, do func()) {
	if r.Gate != nil {
		r.Gate(r.inv.Context(), e)
	}
	if r.DryRun {
		r.inv.Log("INFO", "[dry-run] would "+e.Verb+" "+what)
		return
	}
	if n := r.Faults.TimeOutAfter; n > 0 && r.writes == n {
		r.inv.TimeOut()
	}
	gerund := map[string]string{"create": "creating ", "delete": "deleting "}[e.Verb]
	r.inv.Log("INFO", gerund+what)
	if n := r.Faults.CrashAfter; n > 0 && r.writes == n {
		r.unhandled("ThrottlingException", "Rate exceeded")
		r.inv.Exit(128)
	}
	r.writes++
	switch {
	case slices.Contains(r.Faults.Drop, e.Name):
		r.call(func() {})
	case do == nil:
		r.call(func() {})
		r.unhandled("ValidationException", "1 validation error detected: Value null at 'memberId.userId' failed to satisfy constraint: Member must not be null")
	case slices.Contains(r.Faults.Reject, e.Name):
		r.call(func() {})
		r.unhandled("ThrottlingException", "Rate exceeded")
	case r.late && r.Faults.ThawLastGroup:
		r.inv.freeze(do)
	case r.late:
	default:
		r.call(do)
	}
}

// unhandled is the line the Node runtime writes when a promise is rejected and nobody listens.
func (r *syncRun) unhandled(errorType, message string) {
	report, _ := json.Marshal(struct {
		ErrorType    string          `json:"errorType"`
		ErrorMessage string          `json:"errorMessage"`
		Reason       json.RawMessage `json:"reason"`
		Promise      struct{}        `json:"promise"`
		Stack        []string        `json:"stack"`
	}{
		ErrorType: "Runtime.UnhandledPromiseRejection", ErrorMessage: errorType + ": " + message,
		Reason: json.RawMessage(nodeError(errorType, message)),
		Stack: []string{
			"Runtime.UnhandledPromiseRejection: " + errorType + ": " + message,
			"    at process.<anonymous> (file:///var/runtime/index.mjs:1448:17)", "    at process.emit (node:events:519:28)",
		},
	})
	line := "Unhandled Promise Rejection \t" + string(report)
	if r.Faults.ErrorsWithoutID {
		r.inv.LogWithoutID("ERROR", line)
		return
	}
	r.inv.Log("ERROR", line)
}
