package slacktest

import (
	"fmt"
	"os"
)

// IDs on an Enterprise Grid. See https://docs.slack.dev/enterprise/.
const (
	GridID       = "E0EXAMPLE"
	SisterTeamID = "T0SISTER1" // another workspace of the same Grid
	gridName     = "Example Grid"
	foreignGrid  = "E0FOREIGN"
)

// GridFor tells whether a test plays on a Grid: half of all do, by their names, so
// that both kinds of workspaces are tested and no test runs twice. The environment
// variable SLACKTEST_GRID, "yes" or "no", decides for all.
func GridFor(test string) bool {
	switch os.Getenv("SLACKTEST_GRID") {
	case "yes":
		return true
	case "no":
		return false
	}
	sum := 0
	for _, b := range []byte(test) {
		sum += int(b)
	}
	return sum%2 == 1
}

// onGrid tells whether the workspace is part of an Enterprise Grid.
func (o Options) onGrid() bool { return o.Grid || o.OrgWide > 0 }

// shape tells people apart by how Slack writes of them on a Grid: in each of the
// ways that its documentation and its clients know of.
func (u *User) shape() int {
	sum := 0
	for _, b := range []byte(u.ID) {
		sum += int(b)
	}
	return sum % 4
}

// teams are the workspaces of the Grid that a person is a member of.
func (w *Workspace) teams(u *User) []string {
	switch {
	case u.Teams != nil:
		return u.Teams
	case u.Stranger || u.TeamID != w.TeamID:
		return nil
	case u.shape() == 0:
		return []string{w.TeamID}
	}
	return []string{SisterTeamID, w.TeamID}
}

// gridUser adds to a user object what it has on a Grid.
func (w *Workspace) gridUser(u *User, o object) {
	if !w.opts.onGrid() {
		return
	}
	enterprise, name, teams := GridID, gridName, w.teams(u)
	if teams == nil && u.TeamID != w.TeamID && u.shape()%2 == 1 {
		enterprise, name, teams = foreignGrid, "Foreign Grid", []string{u.TeamID}
	}
	if teams == nil {
		return // of a workspace that isn't on any Grid
	}
	o["enterprise_user"] = object{
		"id": u.ID, "enterprise_id": enterprise, "enterprise_name": name,
		"is_admin": false, "is_owner": false, "is_primary_owner": false, "teams": teams,
	}
	if enterprise != GridID || u.Teams != nil {
		return
	}
	switch u.shape() {
	case 1:
		o["team_id"] = SisterTeamID
	case 2:
		o["team_id"], o["teams"] = GridID, teams
	case 3:
		delete(o, "team_id")
	}
}

// userTeam is what an interaction payload calls a person's team: on a Grid that is
// one of theirs, or the Grid itself.
// See https://github.com/slackapi/bolt-js/issues/1875.
func (w *Workspace) userTeam(kind string, u *User) string {
	teams := w.teams(u)
	switch {
	case !w.opts.onGrid() || teams == nil:
		return u.TeamID
	case kind == "block_suggestion" || u.shape() == 2:
		return GridID
	}
	return teams[0]
}

// fromGrid adds to an interaction payload what it has on a Grid.
func (w *Workspace) fromGrid(payload object) {
	if !w.opts.onGrid() {
		return
	}
	payload["enterprise"] = object{"id": GridID, "name": gridName}
	payload["is_enterprise_install"] = w.opts.OrgWide > 0
	team := payload["team"].(object)
	team["enterprise_id"], team["enterprise_name"] = GridID, gridName
	if w.opts.OrgWide > 0 {
		payload["team"] = nil
	}
}

// commandFromGrid adds to a slash command what it has on a Grid.
func (w *Workspace) commandFromGrid(u *User, payload object) {
	if !w.opts.onGrid() {
		return
	}
	payload["enterprise_id"], payload["enterprise_name"] = GridID, gridName
	payload["is_enterprise_install"] = fmt.Sprint(w.opts.OrgWide > 0)
	if w.teams(u) != nil && u.shape() == 3 {
		payload["team_id"], payload["team_domain"] = SisterTeamID, "sister"
	}
}

// authTeamsList lists the workspaces that the app was added to.
func (w *Workspace) authTeamsList(*call) (any, error) {
	teams := []object{{"id": w.TeamID, "name": "Example"}}
	for n := 2; n <= w.opts.OrgWide; n++ {
		teams = append(teams, object{"id": fmt.Sprintf("T0SISTER%d", n-1), "name": fmt.Sprintf("Sister %d", n-1)})
	}
	return object{"teams": teams, "response_metadata": object{"next_cursor": ""}}, nil
}

// foreign tells whether a person is of another organisation, met in a shared channel.
func (w *Workspace) foreign(u *User) bool { return u.TeamID != w.TeamID && u.Teams == nil }
