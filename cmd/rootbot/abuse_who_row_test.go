package main_test

import (
	"net/http"
	"slices"
	"time"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// These are the ways in by being somebody, or by looking like somebody. Most of
// those who try have a login in the team, so that nothing but what is peculiar
// about them stands in their way.

const elsewhere = "T0ELSEWHERE"

// syncs types /scim-sync, which runs at once for a member of the team.
func syncs(i *intruder) { i.types(i.Log, "/scim-sync", "") }

// approves presses Approve at the request that waits all the time.
func approves(i *intruder) { i.presses(i.standing.message, "approve") }

// commands sends a command that isn't as Slack would have it.
func commands(peculiar object) func(*intruder) {
	return func(i *intruder) { i.sends("slash_commands", i.command("/scim-sync", "", peculiar)) }
}

var (
	guest      = slacktest.User{Restricted: true}
	onlyGuest  = slacktest.User{UltraRestricted: true}
	shared     = slacktest.User{TeamID: elsewhere, Stranger: true}
	halfShared = slacktest.User{Stranger: true}
	foreign    = slacktest.User{TeamID: elsewhere}
	sister     = slacktest.User{TeamID: slacktest.SisterTeamID, Teams: []string{slacktest.SisterTeamID}}
	machine    = slacktest.User{Bot: true}
	gone       = slacktest.User{Deleted: true}
)

const (
	unknown    = "I don't know which GitHub login you are"
	notOurs    = "You are not of the workspace that this bot serves"
	noMember   = "is not a member of the team"
	nothing    = "Nothing was changed"
	cantCheck  = "Nothing was changed"
	slackMute  = "Slack didn't say who you are"
	foreigners = "slack:" + elsewhere + "/"
)

var byBeingSomebody = []way{
	{name: "somebody whom nobody knows", try: syncs, says: []string{unknown, nothing}, tells: []string{unknown}},
	{name: "somebody known who isn't in the team", login: "row-outside", github: (*githubtest.Server).AddToOrganization, try: syncs, says: []string{"row-outside " + noMember, nothing}, tells: []string{noMember}},
	{name: "somebody who isn't even in the organisation", login: "row-abroad", github: func(gh *githubtest.Server, login string) { gh.AddUser(login) }, try: syncs, says: []string{noMember, nothing}},
	{name: "a login that GitHub doesn't have", login: "row-nobody", github: func(*githubtest.Server, string) {}, try: syncs, says: []string{noMember, nothing}},
	{name: "a member of a team with nearly the same name", login: "row-namesake", github: func(gh *githubtest.Server, login string) {
		gh.AddTeam(worldtest.Team + "s")
		gh.AddMember(worldtest.Team+"s", login)
	}, try: syncs, says: []string{noMember, nothing}},
	{name: "a member of the team above the team", login: "row-parent", github: func(gh *githubtest.Server, login string) {
		gh.AddTeam("all-admins")
		gh.AddTeam(worldtest.Team, "all-admins")
		gh.AddMember("all-admins", login)
	}, try: syncs, says: []string{noMember, nothing}},
	{name: "an owner of the organisation who isn't in the team", login: "row-owner", github: (*githubtest.Server).AddOwner, try: syncs, says: []string{noMember, nothing}},
	{name: "a membership that is pending", login: "row-pending", github: func(gh *githubtest.Server, login string) { gh.AddPending(worldtest.Team, login) }, try: syncs, says: []string{"membership is pending", nothing, "Accept GitHub's invitation"}},
	{name: "a login from before a renaming", login: "row-old-name", github: func(gh *githubtest.Server, login string) {
		gh.AddMember(worldtest.Team, login)
		gh.RenameUser(login, "row-new-name")
	}, try: syncs, says: []string{"row-old-name " + noMember, nothing}},
	{name: "a login that another account took over after a renaming", login: "row-taken-name", github: func(gh *githubtest.Server, login string) {
		gh.AddMember(worldtest.Team, login)
		gh.RenameUser(login, "row-moved-on")
		gh.AddToOrganization(login)
	}, try: syncs, says: []string{"row-taken-name " + noMember, nothing}},

	{name: "a guest", login: "row-guest", user: guest, try: syncs, says: []string{"Guests may not use this", nothing}, tells: []string{"Guests"}},
	{name: "a guest in a single channel", login: "row-only-guest", user: onlyGuest, try: syncs, says: []string{"Guests may not use this", nothing}},
	{name: "a stranger in a shared channel", login: "row-shared", user: shared, try: syncs, says: []string{notOurs, nothing}},
	{name: "somebody whom Slack calls a stranger and nothing else", login: "row-stranger", user: halfShared, try: syncs, says: []string{notOurs, nothing}},
	{name: "a payload that claims our workspace for a user who is of another", login: "row-claims", user: foreign, try: syncs, says: []string{notOurs, nothing}},
	{name: "a bot", login: "row-bot", user: machine, try: syncs, says: []string{"Bots may not use this", nothing}},
	{name: "a deactivated user", login: "row-deactivated", user: gone, try: commands(nil), says: []string{"Your Slack account is deactivated", "othing was changed"}},
	{name: "a member's user ID in another workspace", try: commands(object{"user_id": "U0OTTER", "team_id": elsewhere}), by: foreigners + "U0OTTER", says: []string{notOurs, nothing}},
	{name: "a command without a workspace", login: "row-homeless", try: commands(object{"team_id": ""}), by: "slack:%s", says: []string{notOurs, nothing}},
	{name: "a command without a user", try: commands(object{"user_id": ""}), by: "slack:T0EXAMPLE", says: []string{notOurs, nothing}},
	{name: "a user ID that Slack doesn't know", try: commands(object{"user_id": "U0NOBODY"}), by: "slack:T0EXAMPLE/U0NOBODY", says: []string{slackMute, nothing}},
	{name: "a member's user ID in small letters", try: commands(object{"user_id": "u0otter"}), by: "slack:T0EXAMPLE/u0otter", says: []string{slackMute, nothing}},
	{name: "a member while Slack doesn't say who they are", login: "row-mute", before: func(i *intruder) {
		i.Slack.Fail("users.info", slacktest.Fault{Error: "internal_error"})
	}, try: syncs, says: []string{slackMute, nothing, "Try again in a minute"}},
	{name: "a member while Slack is in trouble", login: "row-trouble", before: func(i *intruder) {
		i.Slack.Fail("users.info", slacktest.Fault{Status: 500})
	}, try: syncs, says: []string{slackMute, nothing}},
	{name: "a member while Slack cuts the line", login: "row-cut", before: func(i *intruder) {
		i.Slack.Fail("users.info", slacktest.Fault{CutAfter: true})
	}, try: syncs, says: []string{slackMute, nothing}},

	{name: "a look at the open requests by somebody whom nobody knows", try: func(i *intruder) { i.types(i.Log, "/rootbot", "requests") }, says: []string{unknown}, tells: []string{"/rootbot requests"}},
	{name: "a look at what was by a guest", login: "row-curious", user: guest, try: func(i *intruder) { i.types(i.Log, "/rootbot", "history") }, says: []string{"Guests may not use this"}, tells: []string{"/rootbot history"}},
	{name: "a link for somebody whom the settings name", login: "row-named", try: func(i *intruder) { i.types(i.Log, "/rootbot", "link") }, says: []string{"they win over a link", "Nothing was changed"}},
	{name: "the end of a link that isn't there", login: "row-unlinked", try: func(i *intruder) { i.types(i.Log, "/rootbot", "unlink") }, says: []string{"Nothing was changed"}, tells: []string{"/rootbot unlink"}},

	{name: "an approval by somebody whom nobody knows", try: approves, says: []string{unknown}, tells: []string{"approve"}},
	{name: "an approval by somebody who isn't in the team", login: "row-approves", github: (*githubtest.Server).AddToOrganization, try: approves, says: []string{noMember}, tells: []string{"approve"}},
	{name: "an approval by a guest", login: "row-guest-2", user: guest, try: approves, says: []string{"Guests may not use this"}},
	{name: "an approval by a guest in a single channel", login: "row-guest-3", user: onlyGuest, try: approves, says: []string{"Guests may not use this"}},
	{name: "an approval by a stranger in a shared channel", login: "row-shared-2", user: shared, try: approves, says: []string{notOurs}, by: foreigners + "%s"},
	{name: "an approval by a bot", login: "row-bot-2", user: machine, try: approves, says: []string{"Bots may not use this"}},
	{name: "an approval by a deactivated user", login: "row-gone-2", user: gone, try: presses("approve", ""), says: []string{"deactivated"}},
	{name: "an approval by a member's user ID in another workspace", try: func(i *intruder) {
		i.sends("interactive", i.click("approve", i.standing.value(), object{"user": object{"id": i.Second.ID, "team_id": elsewhere}}))
	}, by: foreigners + "U0BADGER", says: []string{notOurs}},
	{name: "an approval whose envelope is of another workspace", login: "row-abroad-2", try: func(i *intruder) {
		i.sends("interactive", i.click("approve", i.standing.value(), object{"user": object{"id": i.who.ID}, "team": object{"id": elsewhere}}))
	}, says: []string{notOurs}, by: foreigners + "%s"},
	{name: "an approval by a user who is of another workspace, whatever the payload says", login: "row-claims-2", user: foreign, try: presses("approve", ""), says: []string{notOurs}},
	{name: "an approval after the membership was lost", login: "row-lost", before: func(i *intruder) {
		i.GitHub.RemoveMember(worldtest.Team, i.way.login)
	}, try: approves, says: []string{"row-lost " + noMember}, tells: []string{"approve"}},
	{name: "an approval by a membership that is pending", login: "row-pending-2", github: func(gh *githubtest.Server, login string) { gh.AddPending(worldtest.Team, login) }, try: approves, says: []string{"membership is pending"}},
	{name: "a withdrawal by somebody who isn't in the team", login: "row-withdraws", github: (*githubtest.Server).AddToOrganization, try: func(i *intruder) { i.presses(i.standing.message, "withdraw") }, says: []string{noMember}, tells: []string{"withdraw"}},
}

// onGrid is a house in one of an organisation's workspaces, where Slack tells who
// people are in other ways.
var onGrid = house{
	name:  "on an Enterprise Grid",
	grid:  "yes",
	ready: waits,
	ways: slices.Concat(byBeingSomebody, []way{
		{name: "a member of another workspace of the same Grid", login: "row-sister", user: sister, try: syncs, says: []string{notOurs, nothing}},
		{name: "an approval by a member of another workspace of the same Grid", login: "row-sister-2", user: sister, try: approves, says: []string{notOurs}},
		{name: "a guest of our workspace and of another one", login: "row-sister-3", user: slacktest.User{Restricted: true, Teams: []string{slacktest.SisterTeamID, slacktest.DefaultTeamID}}, try: approves, says: []string{"Guests may not use this"}},
		{name: "an approval from another Grid", login: "row-grid", try: func(i *intruder) {
			i.sends("interactive", i.click("approve", i.standing.value(), object{"user": object{"id": i.who.ID, "team_id": elsewhere}, "team": object{"id": elsewhere}, "enterprise": object{"id": "E0ELSEWHERE"}}))
		}, says: []string{notOurs}, by: foreigners + "%s"},
	}),
	proof: func(k *keep) { k.setting().carriedOut(k.Second, k.standing) },
}

// presses is a click on a button that Slack has no window for, with the value
// that the buttons of the standing request have and what follows.
func presses(action, more string) func(*intruder) {
	return func(i *intruder) { i.sends("interactive", i.click(action, i.standing.value()+more, nil)) }
}

// ails has GitHub answer otherwise than it should when it is asked whether the
// one who tries is a member.
func ails(faults ...githubtest.Fault) func(*intruder) {
	return func(i *intruder) {
		for _, f := range faults {
			i.GitHub.Fail("/orgs/*/teams/*/memberships/"+i.way.login, f)
		}
	}
}

// troubled is a house whose GitHub doesn't tell what it should.
var troubled = house{
	name:  "while GitHub is in trouble",
	ready: waits,
	ways: slices.Concat([]way{
		{name: "GitHub doesn't accept the bot's token", login: "row-401", before: ails(githubtest.Fault{Status: 401}), try: syncs, says: []string{"(401)", cantCheck}, tells: []string{"(401)"}},
		{name: "GitHub refuses to tell", login: "row-403", before: ails(githubtest.Fault{Status: 403}), try: syncs, says: []string{"(403)", cantCheck}},
		{name: "GitHub knows no such team", login: "row-404", before: func(i *intruder) {
			ails(githubtest.Fault{Status: 404})(i)
			i.GitHub.Fail("/orgs/*/teams/"+worldtest.Team+"$", githubtest.Fault{Status: 404, Times: 1})
		}, try: syncs, says: []string{"I can't check whether row-404 is a member", cantCheck, "shows the bot no team"}},
		{name: "GitHub asks the bot to slow down, with 429", login: "row-429", before: ails(githubtest.Fault{Status: 429}), try: syncs, says: []string{"slow down (429)", cantCheck}},
		{name: "GitHub's rate limit is used up", login: "row-limit", before: func(i *intruder) {
			ails(githubtest.Fault{RateLimited: true, Reset: time.Now().Add(-time.Minute)})(i)
		}, try: syncs, says: []string{"rate limit for the bot is used up", cantCheck}},
		{name: "GitHub answers 500", login: "row-500", before: ails(githubtest.Fault{Status: 500}), try: syncs, says: []string{"GitHub answered 500", cantCheck}},
		{name: "GitHub shows the unicorn", login: "row-502", before: ails(githubtest.Fault{Status: 502, Body: "<html>Unicorn!</html>"}), try: syncs, says: []string{"GitHub answered 502", cantCheck}},
		{name: "GitHub gives half an answer", login: "row-half", before: ails(githubtest.Fault{Cut: true}), try: syncs, says: []string{"GitHub could not be reached", cantCheck}},
		{name: "GitHub answers with a page where JSON should be", login: "row-html", before: ails(githubtest.Fault{Status: http.StatusOK, Body: "<html>proxy</html>"}), try: syncs, says: []string{cantCheck}},
		{name: "GitHub answers with nothing in it", login: "row-empty", before: ails(githubtest.Fault{Status: http.StatusOK, Body: "{}"}), try: syncs, says: []string{"not an active member", nothing}},
		{name: "GitHub answers with null", login: "row-null", before: ails(githubtest.Fault{Status: http.StatusOK, Body: "null"}), try: syncs, says: []string{"not an active member", nothing}},
		{name: "GitHub answers with a state that nobody knows", login: "row-state", before: ails(githubtest.Fault{Status: http.StatusOK, Body: `{"state":"ACTIVE"}`}), try: syncs, says: []string{"not an active member", nothing}},
		{name: "GitHub answers 204, as to a question for anything else", login: "row-204", before: ails(githubtest.Fault{Status: http.StatusNoContent}), try: syncs, says: []string{"not an active member", nothing}},
		{name: "an approval while GitHub answers 500", login: "row-500-2", before: ails(githubtest.Fault{Status: 500}), try: approves, says: []string{"GitHub answered 500", "changed nothing"}, tells: []string{"approve"}},
		{name: "an approval while GitHub doesn't accept the bot's token", login: "row-401-2", before: ails(githubtest.Fault{Status: 401}), try: approves, says: []string{"(401)", "changed nothing"}},
		{name: "an approval while GitHub gives half an answer", login: "row-half-2", before: ails(githubtest.Fault{Cut: true}), try: approves, says: []string{"changed nothing"}},
		{name: "GitHub never answers", login: "row-hang", before: ails(githubtest.Fault{Hang: true}), try: syncs, says: []string{"GitHub did not answer in time", cantCheck}},
	}, expired),
	proof: func(k *keep) { k.setting().carriedOut(k.Second, k.standing) },
}

// slowed is a house whose bot has asked GitHub too often: it keeps away from
// there for as long as GitHub says.
var slowed = house{
	name:  "while GitHub wants the bot to slow down",
	ready: waits,
	ways: []way{
		{name: "GitHub's secondary limit is exceeded", login: "row-second", before: ails(githubtest.Fault{Secondary: true}), try: syncs, says: []string{"secondary rate limit", cantCheck}},
		{name: "a command while the bot keeps away from GitHub", login: "row-second-2", try: syncs, says: []string{"secondary rate limit", cantCheck}},
		{name: "an approval while the bot keeps away from GitHub", login: "row-second-3", try: approves, says: []string{"secondary rate limit", "changed nothing"}, tells: []string{"approve"}},
	},
}

// teamless is a house whose settings name a team that isn't there.
var teamless = house{
	name:     "with a team in the settings that isn't there",
	settings: []string{"team: " + worldtest.Team, "team: no-such-team"},
	ways: []way{
		{name: "a member of another team", login: "row-member", try: syncs, says: []string{"shows the bot no team ministryofjustice/no-such-team", cantCheck, "Check github.organization and github.team"}, tells: []string{"no-such-team"}},
		{name: "an owner of the organisation", login: "row-boss", github: (*githubtest.Server).AddOwner, try: syncs, says: []string{"shows the bot no team", cantCheck}},
		{name: "somebody whom nobody knows, with no team to be in", try: syncs, says: []string{unknown, "no-such-team", nothing}},
	},
}
