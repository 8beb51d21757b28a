package main_test

import (
	"slices"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// These are the ways in by pressing buttons, and what looks like that.

const (
	otter  = "U0OTTER"
	badger = "U0BADGER"

	changedNothing = "Your click changed nothing"
	noSuchRequest  = "0197f3a0-0000-7000-8000-000000000000"
)

// usual is a house in which one approval is needed, and the badger may break the glass.
var usual = house{
	name:     "as usual",
	grid:     "no",
	settings: []string{"slack: {", "break_glass: [badger]\nslack: {"},
	ready: func(k *keep) {
		i := k.setting()
		k.standing = i.asks(k.Member, "otter", "standing.stork@"+worldtest.Domain)
		k.past = i.asks(k.Member, "otter", "past.plover@"+worldtest.Domain)
		i.clicks(k.Member, k.past.message, "withdraw")
		i.wait("the end of a request", func() bool { return strings.Contains(i.public(k.past), "Withdrawn") })
		k.broken = i.asks(k.Member, "otter", "broken.bittern@"+worldtest.Domain)
		k.ran[k.broken.id] = k.broken.email
		i.who = k.Second
		i.sends("interactive", i.decision("break-glass", k.broken, "The keys are on a public page. "+markup))
		k.broken.message = i.offered(k.broken.email, "undo").message
		i.wait("the quarantine", func() bool { return strings.Contains(i.public(k.broken), "locked out since") })
		i.wait("the notice of broken glass", func() bool {
			return slices.ContainsFunc(k.cards(), func(m slacktest.Message) bool { return len(m.Buttons()) == 1 && m.Buttons()[0].ActionID == "reviewed" })
		})
	},
	ways: slices.Concat(byBeingSomebody, byPressing, byForms, byTyping),
	proof: func(k *keep) {
		i := k.setting()
		i.carriedOut(k.Second, k.standing)
		i.who = k.third
		i.sends("interactive", i.decision("reviewed", k.broken, "It was needed. "+markup))
		i.wait("the look at what ran alone", func() bool {
			return slices.ContainsFunc(k.cards(), func(m slacktest.Message) bool { return strings.Contains(m.PlainText(), "Looked at by") })
		})
	},
}

// pressed is a click on a button with that value, which no message has.
func pressed(action string, value func(i *intruder) string) func(*intruder) {
	return func(i *intruder) { i.sends("interactive", i.click(action, value(i), nil)) }
}

// own makes a request of the intruder's own, who may.
func own(i *intruder) { i.card = i.asks(i.who, i.login(), i.victim()) }

var byPressing = []way{
	{name: "self-approval", actor: otter, try: approves, says: []string{"You asked for this, so somebody else must approve it"}, tells: []string{"approve"}},
	{name: "self-approval with a button of one's own making", actor: otter, try: presses("approve", ""), says: []string{"You asked for this, so somebody else must approve it"}},
	{name: "a user ID forged into a button's value", actor: otter, try: presses("approve", ":"+badger), kind: "too-late", says: []string{"You asked for this"}},
	{name: "a user ID behind the digest of a button", login: "row-forges", try: presses("approve", ":"+badger), kind: "too-late", says: []string{"The plan has changed", changedNothing}},
	{name: "a user ID in place of a button's request", login: "row-forges-2", try: pressed("approve", func(i *intruder) string { return badger + ":" + i.standing.digest }), says: []string{"I don't know the request", nothing}, tells: []string{"There is no request U0BADGER"}},
	{name: "an edited digest", login: "row-edits", try: pressed("approve", func(i *intruder) string { return i.standing.id + ":" + strings.Repeat("0", 64) }), kind: "too-late", says: []string{"The plan has changed", changedNothing}},
	{name: "a digest in another case", login: "row-shouts", try: pressed("approve", func(i *intruder) string { return i.standing.id + ":" + strings.ToUpper(i.standing.digest) }), kind: "too-late", says: []string{"The plan has changed", changedNothing}},
	{name: "the digest of another request", login: "row-swaps", try: pressed("approve", func(i *intruder) string { return i.standing.id + ":" + i.past.digest }), kind: "too-late", says: []string{"The plan has changed", changedNothing}},
	{name: "a button without a digest", login: "row-no-digest", try: pressed("approve", func(i *intruder) string { return i.standing.id }), kind: "too-late", says: []string{"The plan has changed", changedNothing}},
	{name: "a button without a value", login: "row-no-value", try: pressed("approve", func(*intruder) string { return "" }), says: []string{"I don't know the request", nothing}},
	{name: "a button whose value is another language", login: "row-sql", try: pressed("approve", func(i *intruder) string { return "' OR 1=1 --:" + i.standing.digest }), says: []string{"I don't know the request", nothing}},
	{name: "a button with a wildcard for a request", login: "row-wildcard", try: pressed("approve", func(i *intruder) string { return "%:" + i.standing.digest }), says: []string{"I don't know the request", nothing}},
	{name: "a button whose value is 100 kB long", login: "row-long-value", try: pressed("approve", func(*intruder) string { return strings.Repeat("x", 100_000) }), says: []string{"I don't know the request", nothing}},
	{name: "a request that doesn't exist", login: "row-no-request", try: pressed("approve", func(i *intruder) string { return noSuchRequest + ":" + i.standing.digest }), says: []string{"I don't know the request", nothing}, tells: []string{noSuchRequest}},
	{name: "the button of a request that has ended", login: "row-late", try: pressed("approve", func(i *intruder) string { return i.past.value() }), kind: "too-late", says: []string{"That comes too late", "withdrew it", changedNothing}},
	{name: "the button of a request that runs already", login: "row-late-2", try: pressed("approve", func(i *intruder) string { return i.broken.value() }), kind: "too-late", says: []string{"That comes too late: it is being run", changedNothing}},
	{name: "a withdrawal of what runs already", login: "row-late-3", try: pressed("withdraw", func(i *intruder) string { return i.broken.value() }), kind: "too-late", says: []string{"That comes too late: it is being run", changedNothing}},
	{name: "a button that the bot doesn't have", login: "row-unknown", try: presses("obliterate", ""), says: []string{"I don't know that button", nothing}, tells: []string{"button obliterate"}},
	{name: "a button without a name", login: "row-nameless", try: presses("", ""), says: []string{"I don't know that button", nothing}},
	{name: "a button whose name is 100 kB long", login: "row-long-name", try: presses(strings.Repeat("x", 100_000), ""), says: []string{"I don't know that button", nothing}},
	{name: "Run again, on what waits", login: "row-again", try: presses("retry", ""), says: []string{"doesn't apply any more", nothing}, tells: []string{"button retry"}},
	{name: "Run again, on what was withdrawn", login: "row-again-2", try: pressed("retry", func(i *intruder) string { return i.past.value() }), says: []string{"doesn't apply any more", nothing}},
	{name: "Run again, on what runs", login: "row-again-3", try: pressed("retry", func(i *intruder) string { return i.broken.value() }), says: []string{"doesn't apply any more", nothing}},
	{name: "Quarantine again, on what stands", login: "row-anew", try: presses("quarantine-again", ""), kind: "refused", says: []string{"decided already", changedNothing}},
	{name: "Quarantine again, for a plan that was made up", login: "row-anew-2", try: presses("quarantine-again", "0"), kind: "too-late", says: []string{"decided already", changedNothing}},
	{name: "Restore, on what hasn't run", login: "row-undoes", try: presses("undo", ""), kind: "refused", says: []string{"There is nothing to restore", changedNothing}},
	{name: "a look afterwards at what hasn't run", login: "row-looks", try: presses("reviewed", ""), says: []string{"nothing to look at afterwards"}},
	{name: "a look afterwards at what was withdrawn", login: "row-looks-2", try: pressed("reviewed", func(i *intruder) string { return i.past.value() }), says: []string{"nothing to look at afterwards"}},
	{name: "a click on no button at all", login: "row-empty-click", try: func(i *intruder) { i.sends("interactive", i.click("", "", object{"actions": []any{}})) }, says: []string{"I don't know that button", nothing}},
	{name: "a button as Slack had them years ago", login: "row-legacy", try: func(i *intruder) {
		i.sends("interactive", i.click("", "", object{"actions": []any{object{"name": "approve", "type": "button", "value": i.standing.value()}}}))
	}, says: []string{"I don't know that button", nothing}},
	{name: "a shortcut, of which the bot has none", login: "row-shortcut", try: func(i *intruder) {
		i.sends("interactive", i.click("", "", object{"type": "message_action", "callback_id": "approve", "actions": []any{}}))
	}, says: []string{"I don't know that button", nothing}},
	{
		name: "two buttons in one click, of which one is unknown", login: "row-two", github: (*githubtest.Server).AddToOrganization,
		try: func(i *intruder) {
			p := i.click("obliterate", i.standing.value(), nil)
			p["actions"] = append(p["actions"].([]any), object{"type": "button", "action_id": "approve", "block_id": "decide", "value": i.standing.value(), "action_ts": "2.000000"})
			i.sends("interactive", p)
			i.said += "\n" + i.listens()
		},
		says: []string{"I don't know that button", noMember},
	},

	{name: "the envelope of a command once more", login: "row-twice", again: true, before: func(i *intruder) {
		i.looked[i.way.login] = true
		ack, err := i.Slack.Command(i.Context(), i.who.ID, i.Log.ID, "/scim-sync", "plan")
		if err != nil {
			i.Fatal(err)
		}
		i.preview()
		i.card.id = ack.EnvelopeID
	}, try: func(i *intruder) { i.resends(i.card.id) }, tells: []string{"/scim-sync", "It arrived twice"}},
	{name: "a command once more in a new envelope", login: "row-twice-2", again: true, before: func(i *intruder) {
		i.looked[i.way.login] = true
		i.sends("slash_commands", i.command("/scim-sync", "plan", nil))
		i.preview()
	}, try: func(i *intruder) { i.sends("slash_commands", i.command("/scim-sync", "plan", nil)) }, tells: []string{"/scim-sync", "It arrived twice"}},
	{name: "a click once more in a new envelope", login: "row-twice-3", again: true, before: func(i *intruder) {
		own(i)
		i.sends("interactive", i.click("withdraw", i.card.value(), nil))
		i.wait("the withdrawal", func() bool { return strings.Contains(i.public(i.card), "Withdrawn") })
	}, try: pressed("withdraw", func(i *intruder) string { return i.card.value() }), tells: []string{"withdraw", "It arrived twice"}},
	{name: "the envelope of a click once more", login: "row-twice-4", again: true, before: func(i *intruder) {
		own(i)
		ack := i.clicks(i.who, i.card.message, "withdraw")
		i.wait("the withdrawal", func() bool { return strings.Contains(i.public(i.card), "Withdrawn") })
		i.card.id = ack.EnvelopeID
	}, try: func(i *intruder) { i.resends(i.card.id) }, tells: []string{"withdraw", "It arrived twice"}},
	{name: "a form once more in a new envelope", login: "row-twice-5", again: true, before: func(i *intruder) {
		i.looked[i.way.login] = true
		i.sends("interactive", i.removal(nil))
		i.offered(i.victim(), "approve")
	}, try: func(i *intruder) { i.sends("interactive", i.removal(nil)) }, tells: []string{"/aws-remove-user", "It arrived twice"}},
	{name: "the envelope of a form once more", login: "row-twice-6", again: true, before: func(i *intruder) {
		i.looked[i.way.login] = true
		ack := i.sends("interactive", i.removal(nil))
		i.offered(i.victim(), "approve")
		i.card.id = ack.EnvelopeID
	}, try: func(i *intruder) { i.resends(i.card.id) }, tells: []string{"/aws-remove-user", "It arrived twice"}},
	{name: "the form of a decision once more in a new envelope", login: "row-twice-7", again: true, before: func(i *intruder) {
		i.card = i.asks(i.Member, "otter", i.victim())
		i.sends("interactive", i.decision("reject", i.card, "still needed"))
		i.wait("the rejection", func() bool { return strings.Contains(i.public(i.card), "Not run") })
	}, try: func(i *intruder) { i.sends("interactive", i.decision("reject", i.card, "still needed")) }, tells: []string{"reject", "It arrived twice"}},
}

// preview waits for the plan that they wanted to see.
func (i *intruder) preview() {
	i.Helper()
	i.wait("the preview", func() bool {
		return slices.ContainsFunc(i.cards(), func(m slacktest.Message) bool {
			return strings.Contains(m.PlainText(), "<@"+i.who.ID+">") && strings.Contains(m.PlainText(), "Preview")
		})
	})
}

// resends has Slack send an envelope once more.
func (i *intruder) resends(envelope string) {
	i.Helper()
	ack, err := i.Slack.Resend(i.Context(), envelope)
	if err != nil {
		i.Fatal(err)
	}
	if said := words(ack.Payload); said != "" {
		i.Errorf("the ack says %q", said)
	}
}

// twoNeeded has two approve, and leaves nobody who may break the glass.
var twoNeeded = []string{"    domains:", "    approvals: 2\n    domains:"}

// waits has a request wait all the time that the otter has asked for.
func waits(k *keep) {
	k.standing = k.setting().asks(k.Member, "otter", "standing.stork@"+worldtest.Domain)
}

// careful is a house in which two must approve, and nobody may break the glass
// or prove who they are.
var careful = house{
	name: "with two approvals, without break-glass and without links",
	// What stands behind the # is no setting any more.
	settings: append(slices.Clone(twoNeeded), ", client_id: ", "} # "),
	ready:    waits,
	ways: []way{
		{name: "a second approval by the same person", login: "row-eager", before: half, try: func(i *intruder) { i.presses(i.card.message, "approve") }, says: []string{"one person counts once"}, tells: []string{"approve"}},
		{name: "a click on Approve once more in a new envelope", login: "row-echo", again: true, before: half, try: func(i *intruder) { i.resends(i.card.digest) }, tells: []string{"approve", "It arrived twice"}},
		{name: "a link where linking is switched off", try: func(i *intruder) { i.types(i.Log, "/rootbot", "link") }, says: []string{"Linking isn't switched on"}, tells: []string{"/rootbot link"}},
		{name: "breaking the glass where it is switched off", actor: badger, try: func(i *intruder) {
			i.sends("interactive", i.decision("break-glass", i.standing, "It can't wait."))
		}, says: []string{"Only those whom the bot's settings name under break_glass", changedNothing}, tells: []string{"break-glass"}},
		{name: "one approval where two are needed", actor: badger, lets: []string{"approved"}, kind: "approved", try: func(i *intruder) {
			i.clicks(i.who, i.standing.message, "approve")
			i.wait("one of two approvals", func() bool { return strings.Contains(i.public(i.standing), "for 1 approval,") })
			i.said = i.public(i.standing)
		}, says: []string{"Waiting"}},
	},
	proof: func(k *keep) { k.setting().carriedOut(k.third, k.standing) },
}

// The other houses in which two must approve stand beside it: in one, whatever
// is told in a channel waits for its turn, a message a second.
var (
	approverGone = house{name: "where an approver is another than they were", settings: twoNeeded, ways: []way{
		{name: "an approver who has left the team when it would run", login: "row-left", before: half, lets: []string{"approved"}, try: without(func(i *intruder) { i.GitHub.RemoveMember(worldtest.Team, i.way.login) }), says: []string{"Not run", noMember}, by: "otter"},
		{name: "an approver whose membership is pending when it would run", login: "row-leaves", before: half, lets: []string{"approved"}, try: without(func(i *intruder) { i.GitHub.AddPending(worldtest.Team, i.way.login) }), says: []string{"Not run", "pending"}, by: "otter"},
		{name: "an approver who has another login when it would run", login: "row-renames", before: half, lets: []string{"approved"}, try: without(func(i *intruder) { i.GitHub.RenameUser(i.way.login, "row-renamed") }), says: []string{"Not run", noMember}, by: "otter"},
		{name: "an approver whose login is another member's when it would run", login: "row-taken", before: half, lets: []string{"approved"}, try: without(func(i *intruder) {
			i.GitHub.RenameUser(i.way.login, "row-taken-2")
			i.GitHub.AddMember(worldtest.Team, i.way.login)
		}), says: []string{"Not run", "row-taken"}, by: "otter"},
		{name: "an approver who is a guest when it would run", login: "row-demoted", before: half, lets: []string{"approved"}, try: without(func(i *intruder) { i.becomes(slacktest.User{Restricted: true}) }), says: []string{"Not run", "is a guest in the workspace"}, by: "otter"},
		{name: "an approver who is deactivated when it would run", login: "row-fired", before: half, lets: []string{"approved"}, try: without(func(i *intruder) { i.becomes(slacktest.User{Deleted: true}) }), says: []string{"Not run", "deactivated"}, by: "otter"},
	}}
	approverUnsure = house{name: "where nobody can tell what an approver is", settings: twoNeeded, ways: []way{
		{name: "an approver who leaves the team in the moment before it would run", login: "row-moment", before: half, lets: []string{"approved"}, try: func(i *intruder) {
			leaving := "/orgs/*/teams/*/memberships/otter"
			i.GitHub.Fail(leaving, githubtest.Fault{Times: 1, Delay: time.Second})
			before := i.GitHub.Count(leaving)
			i.clicks(i.third, i.card.message, "approve")
			// Now it is asked about who asked: who approves comes next.
			if err := i.bot.Within(moment, i.GitHub.Wait, func() bool { return i.GitHub.Count(leaving) > before }); err != nil {
				i.Fatal(err)
			}
			i.GitHub.RemoveMember(worldtest.Team, i.way.login)
			i.said = i.news(i.Member)
		}, says: []string{"Not run", noMember}, by: "otter"},
	}}
	requesterGone = house{name: "where a requester is another than they were", settings: twoNeeded, ways: []way{
		{name: "a requester who has left the team when it would run", login: "row-asks", before: asking, lets: []string{"approved"}, try: agreed(func(i *intruder) { i.GitHub.RemoveMember(worldtest.Team, i.way.login) }), says: []string{"Not run", noMember}},
		{name: "a requester who has left the organisation when it would run", login: "row-asks-2", before: asking, lets: []string{"approved"}, try: agreed(func(i *intruder) { i.GitHub.RemoveFromOrganization(i.way.login) }), says: []string{"Not run", noMember}},
		{name: "a requester who has another login when it would run", login: "row-asks-3", before: asking, lets: []string{"approved"}, try: agreed(func(i *intruder) { i.GitHub.RenameUser(i.way.login, "row-asked-3") }), says: []string{"Not run", noMember}},
		{name: "a requester whose login is another member's when it would run", login: "row-asks-5", before: asking, lets: []string{"approved"}, try: agreed(func(i *intruder) {
			i.GitHub.RenameUser(i.way.login, "row-asked-5")
			i.GitHub.AddMember(worldtest.Team, i.way.login)
		}), says: []string{"Not run", "row-asks-5"}},
		{name: "a requester who is a guest when it would run", login: "row-asks-4", before: asking, lets: []string{"approved"}, try: agreed(func(i *intruder) { i.becomes(slacktest.User{Restricted: true}) }), says: []string{"Not run", "is a guest in the workspace"}},
	}}
)

// half has the otter ask, and the intruder give the first of two approvals.
func half(i *intruder) {
	i.card = i.asks(i.Member, "otter", i.victim())
	ack := i.clicks(i.who, i.card.message, "approve")
	i.wait("the first approval", func() bool { return strings.Contains(i.public(i.card), "Approved by <@"+i.who.ID+">") })
	i.card.digest = ack.EnvelopeID
}

// without has the second approval given after something has happened to the
// first approver. The otter, who asked, reads what came of it.
func without(happens func(*intruder)) func(*intruder) {
	return func(i *intruder) {
		happens(i)
		i.clicks(i.third, i.card.message, "approve")
		i.said = i.news(i.Member)
	}
}

// asking has the intruder ask, and the first of two approvals given.
func asking(i *intruder) {
	own(i)
	i.clicks(i.Second, i.card.message, "approve")
	i.wait("the first approval", func() bool { return strings.Contains(i.public(i.card), "Approved by <@"+badger+">") })
}

// agreed has the second approval given after something has happened to the
// intruder, who asked.
func agreed(happens func(*intruder)) func(*intruder) {
	return func(i *intruder) {
		happens(i)
		i.clicks(i.third, i.card.message, "approve")
		i.hears()
	}
}

// becomes makes the intruder's user another in Slack.
func (i *intruder) becomes(u slacktest.User) {
	u.ID, u.Name = i.who.ID, i.who.Name
	i.Slack.AddUser(u)
}
