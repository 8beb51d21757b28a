package main_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// These are the ways in by proving to be somebody, or by being taken for somebody.

const (
	ours     = "example.gov.uk" // whose single sign-on is trusted
	linkable = "github: {saml: {domains: [" + ours + "]}, "
)

// proves asks for a code and types it in an account, and reads what comes of it.
func proves(login string) func(*intruder) {
	return func(i *intruder) {
		code := i.code(i.who)
		i.heard[i.who.ID]++
		if err := i.GitHub.Authorize(code, login); err != nil {
			i.Fatal(err)
		}
		i.hears()
	}
}

// second is another Slack account of the intruder's.
func (i *intruder) second() slacktest.User {
	id := strings.TrimSuffix(i.who.ID, "B") + "B"
	for _, u := range i.Slack.Users() {
		if u.ID == id {
			return u
		}
	}
	u := i.Slack.AddUser(slacktest.User{ID: id})
	i.everywhere(u)
	return u
}

// linked is a house in which people prove who they are.
var linked = house{
	name:     "where people prove who they are",
	settings: []string{"github: {", linkable},
	world: func(k *keep) {
		k.GitHub.AddOwner("warden")
		k.GitHub.AddToken("ghp_warden", "warden", "read:org")
		k.env["GITHUB_TOKEN"] = "ghp_warden"
		k.GitHub.EnableSAML()
		for _, login := range []string{"row-first", "row-mine", "row-alias", "row-kept", "row-lent", "row-signed"} {
			k.GitHub.AddMember(worldtest.Team, login)
		}
	},
	ways: []way{
		{name: "a code that was cancelled at GitHub", try: func(i *intruder) {
			code := i.code(i.who)
			i.heard[i.who.ID]++
			if err := i.GitHub.Deny(code); err != nil {
				i.Fatal(err)
			}
			i.hears()
		}, says: []string{"It was cancelled at GitHub", "Nothing was changed"}, tells: []string{"/rootbot link"}},
		{name: "a code typed in the account of somebody whom the settings name", kind: "claimed", try: func(i *intruder) {
			proves("otter")(i)
			i.told(i.Member, "which is yours", "That was refused")
		}, says: []string{"the GitHub login otter is somebody else", "Nothing was changed"}, tells: []string{"otter", "U0OTTER"}},
		{name: "a code typed in the account of a member whom the bot doesn't know", before: func(i *intruder) {
			code := i.code(i.who)
			before := len(i.Slack.Ephemerals(i.who.ID))
			if err := i.GitHub.Authorize(code, "row-first"); err != nil {
				i.Fatal(err)
			}
			i.wait("the link", func() bool { return len(i.Slack.Ephemerals(i.who.ID)) > before })
		}, try: syncs, says: []string{"doesn't count before another member confirms it", nothing}},
		{name: "a code that a newer one has replaced", try: func(i *intruder) {
			old := i.code(i.who)
			i.code(i.who)
			i.heard[i.who.ID] += 2
			if err := i.GitHub.Authorize(old, "row-mine"); err != nil {
				i.Fatal(err)
			}
			i.wait("the end of the older code", func() bool { return len(i.toldPrivately(i.who)) >= 3 })
			for _, m := range i.toldPrivately(i.who) {
				if said := m.PlainText(); !strings.Contains(said, "type the code") {
					i.said = said
				}
			}
		}, says: []string{"this one doesn't count any more"}, tells: []string{"newer code"}},
		{name: "a link by a guest", user: slacktest.User{Restricted: true}, try: func(i *intruder) { i.types(i.Log, "/rootbot", "link") }, says: []string{"Guests may not use this"}, tells: []string{"/rootbot link"}},
		{name: "a link by a stranger in a shared channel", user: slacktest.User{TeamID: elsewhere, Stranger: true}, try: func(i *intruder) { i.types(i.Log, "/rootbot", "link") }, says: []string{notOurs}},
		{name: "a link for somebody whom the settings name, with linking switched on", login: "row-settled", try: func(i *intruder) { i.types(i.Log, "/rootbot", "link") }, says: []string{"they win over a link", "Nothing was changed"}},
		{name: "a second account for somebody who has linked one", before: func(i *intruder) { i.links(i.who, "row-kept") }, try: func(i *intruder) { i.types(i.Log, "/rootbot", "link") }, says: []string{"You have linked the GitHub account row-kept", "Nothing was changed"}},
		{name: "a linked account that was renamed, and its login taken by a member", before: func(i *intruder) {
			i.GitHub.AddToOrganization("row-swapped")
			code := i.code(i.who)
			if err := i.GitHub.Authorize(code, "row-swapped"); err != nil {
				i.Fatal(err)
			}
			i.wait("the link", func() bool { return len(i.Slack.Ephemerals(i.who.ID)) > 1 })
			i.GitHub.RenameUser("row-swapped", "row-swapped-2")
			i.GitHub.AddMember(worldtest.Team, "row-swapped")
		}, try: syncs, by: "row-swapped-2", says: []string{"row-swapped-2 " + noMember}},

		{name: "self-approval under another login of one's own", before: func(i *intruder) {
			i.links(i.who, "row-mine")
			i.card = i.asks(i.who, "row-mine", i.victim())
			i.forgets(i.who)
			i.links(i.who, "row-alias")
		}, try: func(i *intruder) { i.presses(i.card.message, "approve") }, by: "row-alias", says: []string{"You asked for this, so somebody else must approve it"}, tells: []string{"approve"}},
		{name: "self-approval through a second Slack account", before: func(i *intruder) {
			i.links(i.who, "row-lent")
			i.card = i.asks(i.who, "row-lent", i.victim())
			i.forgets(i.who)
			i.who = i.second()
			i.links(i.who, "row-lent")
		}, try: func(i *intruder) { i.presses(i.card.message, "approve") }, by: "row-lent", says: []string{"You asked for this, so somebody else must approve it"}, tells: []string{"approve"}},
		{name: "self-approval by an account that was renamed after asking", login: "row-before", before: func(i *intruder) {
			own(i)
			i.GitHub.RenameUser("row-before", "row-after")
			i.links(i.second(), "row-after")
		}, try: func(i *intruder) {
			i.who = i.second()
			i.presses(i.card.message, "approve")
		}, by: "row-after", says: []string{"You asked for this, so somebody else must approve it"}, tells: []string{"approve"}},
		{name: "self-approval by an account that changes its login between two questions", login: "row-quick", before: func(i *intruder) {
			own(i)
			i.GitHub.RenameUser("row-quick", "row-slow")
			i.links(i.second(), "row-slow")
		}, try: func(i *intruder) {
			i.who = i.second()
			i.changesItsLogin("row-quick", "row-slow")
			i.clicks(i.who, i.card.message, "approve")
			i.wait("an answer", func() bool {
				card := i.public(i.card)
				if len(i.toldPrivately(i.who)) > i.heard[i.who.ID] {
					card = i.news(i.who)
				}
				i.said = card
				return !strings.Contains(card, "Waiting") && !strings.Contains(card, "About to run")
			})
		}, by: "row-slow", says: []string{"You asked for this, so somebody else must approve it"}},

		{name: "an address that only looks like a member's", user: slacktest.User{Email: "r\u043ew@" + ours}, try: syncs, says: []string{unknown}},
		{name: "an address that nobody signs in by", user: slacktest.User{Email: "nobody@" + ours}, try: syncs, says: []string{unknown}},
		{name: "an address of another domain than the organisation's", user: slacktest.User{Email: "row@" + ours + ".evil.example"}, github: nil, try: syncs, says: []string{unknown}},
		{name: "an address by which two logins sign in", user: slacktest.User{Email: "twice@" + ours}, before: func(i *intruder) {
			for _, login := range []string{"row-twin", "row-twin-2"} {
				i.GitHub.AddMember(worldtest.Team, login)
				i.GitHub.AddExternalIdentity("twice@"+ours, login)
			}
		}, try: syncs, says: []string{"More than one GitHub login signs in as twice@" + ours}},
		{name: "an address by which somebody signs in whom the settings give to another", user: slacktest.User{Email: "badger@" + ours}, before: func(i *intruder) {
			i.GitHub.AddExternalIdentity("badger@"+ours, "badger")
		}, try: syncs, says: []string{"the GitHub login badger is somebody else"}},
		{name: "an address by which somebody signs in who isn't in the team", user: slacktest.User{Email: "plain@" + ours}, before: func(i *intruder) {
			i.GitHub.AddToOrganization("row-plain")
			i.GitHub.AddExternalIdentity("plain@"+ours, "row-plain")
		}, try: syncs, by: "row-plain", says: []string{"row-plain " + noMember}},
		{name: "an address by which somebody signs in who has linked themselves to another", user: slacktest.User{Email: "signed@" + ours}, before: func(i *intruder) {
			i.GitHub.AddExternalIdentity("signed@"+ours, "row-signed")
			i.links(i.second(), "row-signed")
		}, try: syncs, says: []string{"Somebody else has proved that the GitHub login row-signed is theirs"}},
	},
	proof: func(k *keep) {
		i := k.setting()
		i.links(i.second(), "row-alias-2")
	},
}

// changesItsLogin has an account be its requester whenever GitHub is asked about
// who asked, and its approver whenever it is asked about who approves.
func (i *intruder) changesItsLogin(requester, approver string) {
	membership := "/orgs/*/teams/*/memberships/" + requester
	account := fmt.Sprintf("/user/%d", i.GitHub.ID(approver))
	i.GitHub.Fail(membership, githubtest.Fault{Times: 1, Delay: time.Second})
	i.GitHub.Fail(account, githubtest.Fault{Times: 1}) // at the click
	i.GitHub.Fail(account, githubtest.Fault{Times: 1, Delay: time.Second})
	asked, told := i.GitHub.Count(membership), i.GitHub.Count(account)
	go func() {
		if i.GitHub.Wait(i.keep.Context(), func() bool { return i.GitHub.Count(membership) > asked }) != nil {
			return
		}
		i.GitHub.RenameUser(approver, requester)
		if i.GitHub.Wait(i.keep.Context(), func() bool { return i.GitHub.Count(account) > told+1 }) != nil {
			return
		}
		i.GitHub.RenameUser(requester, approver)
	}()
}

// told wants somebody to have been told, too.
func (i *intruder) told(u slacktest.User, says ...string) {
	i.Helper()
	said := i.news(u)
	for _, words := range says {
		if !strings.Contains(said, words) {
			i.Errorf("%s reads %q, without %q", u.Name, said, words)
		}
	}
}

// expired are the ways in by codes of which GitHub says that they have expired.
var expired = []way{
	{name: "a code that has expired", before: func(i *intruder) {
		i.GitHub.Fail("/login/oauth/access_token", githubtest.Fault{Status: 200, Body: `{"error":"expired_token"}`, Times: 1})
	}, try: func(i *intruder) {
		i.code(i.who)
		i.heard[i.who.ID]++
		i.hears()
	}, says: []string{"Nobody typed the code at GitHub in time", "Nothing was changed"}, tells: []string{"/rootbot link"}},
	{name: "a code while GitHub has none to give", before: func(i *intruder) {
		i.GitHub.Fail("/login/device/code", githubtest.Fault{Status: 503, Times: 1})
	}, try: func(i *intruder) { i.types(i.Log, "/rootbot", "link") }, says: []string{"GitHub gave no code to type", "Nothing was changed"}},
	{name: "a code whose owner GitHub doesn't tell", before: func(i *intruder) {
		i.GitHub.Fail("/user$", githubtest.Fault{Status: 500, Times: 3})
	}, try: proves("row-somebody"), says: []string{"GitHub didn't say whose account it is", "Nothing was changed"}},
}

// placed is a house in which everybody may ask who is in the channel.
var placed = house{
	name:     "where everybody in the channel may ask",
	settings: []string{"    domains:", "    requesters: channel\n    domains:"},
	ready:    waits,
	ways: []way{
		{name: "somebody who isn't in the channel", login: "row-elsewhere", before: func(i *intruder) { i.Slack.Kick(i.Desk.ID, i.who.ID) }, try: func(i *intruder) { i.sends("interactive", i.removal(nil)) }, says: []string{"Only members of #reliability-eng may ask for this", nothing}},
		{name: "a guest in the channel", user: slacktest.User{Restricted: true}, try: fills(nil), says: []string{"Guests may not use this", nothing}},
		{name: "a stranger in the channel, which is shared", user: slacktest.User{TeamID: elsewhere, Stranger: true}, try: fills(nil), says: []string{notOurs, nothing}},
		{name: "a bot in the channel", user: slacktest.User{Bot: true}, try: fills(nil), says: []string{"Bots may not use this", nothing}},
		{name: "a channel of which Slack doesn't tell who is in it", before: func(i *intruder) {
			i.Slack.Fail("conversations.members", slacktest.Fault{Error: "internal_error"})
		}, try: fills(nil), says: []string{"Slack didn't say whether you may ask for this", "othing was changed"}},
		{name: "an operation for the team alone by somebody in the channel", try: syncs, says: []string{unknown, nothing}},
		{name: "an approval by somebody in the channel whom nobody knows", try: approves, says: []string{unknown}, tells: []string{"approve"}},
		{name: "self-approval by somebody who asked without a login", before: unnamed, try: func(i *intruder) { i.presses(i.card.message, "approve") }, says: []string{unknown}},
		{name: "self-approval by somebody who has proved a login after asking", before: func(i *intruder) {
			unnamed(i)
			i.GitHub.AddMember(worldtest.Team, "row-proved")
			i.links(i.who, "row-proved")
		}, try: func(i *intruder) { i.presses(i.card.message, "approve") }, by: "row-proved", says: []string{"You asked for this, so somebody else must approve it"}},
		{name: "somebody who has left the channel when it would run", login: "row-away", lets: []string{"approved"}, before: func(i *intruder) {
			own(i)
			i.Slack.Kick(i.Desk.ID, i.who.ID)
		}, try: func(i *intruder) {
			i.clicks(i.Second, i.card.message, "approve")
			i.hears()
		}, says: []string{"Not run", "isn't in #reliability-eng any more"}},
	},
	proof: func(k *keep) { k.setting().carriedOut(k.Second, k.standing) },
}

// unnamed has the intruder ask whom nobody knows on GitHub.
func unnamed(i *intruder) { i.card = i.asks(i.who, "slack."+i.who.ID, i.victim()) }
