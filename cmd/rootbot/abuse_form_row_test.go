package main_test

import (
	"fmt"
	"strings"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// These are the ways in by what stands in forms and behind commands. Whoever
// tries them is a member of the team, where nothing else is said.

const (
	unseen   = "characters in it that can't be seen"
	tooLong  = "longer than 3000 characters"
	badName  = "the name of an IAM user can't have that"
	fillIn   = "Please fill this in"
	notAsked = "This wasn't asked"
	notMine  = "isn't one of mine"

	noMark  = "\u200b"       // a space without width
	turned  = "\u202e"       // from here on, write from right to left
	bell    = "\a"           //
	blank   = "\u3164\u2800" // letters that show nothing
	markup  = "<!here> <@U0VICTIM> *done* `rm`"
	stork   = "standing.stork@" + worldtest.Domain
	similar = "st\u0430nding.stork@" + worldtest.Domain // the third letter is Cyrillic
)

// 100 kB of text.
var heap = strings.Repeat("All work and no play. ", 100_000/22)

// fills sends the form that asks for a removal, with what is peculiar about it.
func fills(peculiar object) func(*intruder) {
	return func(i *intruder) { i.sends("interactive", i.removal(peculiar)) }
}

// decides sends the form of a decision about the standing request.
func decides(verb, reason string) func(*intruder) {
	return func(i *intruder) { i.sends("interactive", i.decision(verb, i.standing, reason)) }
}

// turns sends the form of a decision about the request that runs alone.
func turns(verb, reason string) func(*intruder) {
	return func(i *intruder) { i.sends("interactive", i.decision(verb, i.broken, reason)) }
}

// submits sends a form of any kind.
func submits(callback string, metadata func(*intruder) string, fields object) func(*intruder) {
	return func(i *intruder) { i.sends("interactive", i.form(callback, metadata(i), fields)) }
}

func desk(i *intruder) string { return i.Desk.ID }

func broken(*intruder) string { return `{"value": "` }

var because = object{"reason": text("reason", "no longer needed")}

var byForms = []way{
	{name: "an address with a Cyrillic letter", login: "row-cyrillic", try: fills(object{"emails": similar}), says: []string{badName}, tells: []string{"emails"}},
	{name: "an address with a full-width at sign", login: "row-wide", try: fills(object{"emails": "standing.stork\uff20" + worldtest.Domain}), says: []string{"full-width @", badName}},
	{name: "an address with two at signs", login: "row-at-at", try: fills(object{"emails": "standing.stork@evil.example@" + worldtest.Domain}), says: []string{"not an e-mail address"}},
	{name: "an address with a space without width", login: "row-no-width", try: fills(object{"emails": "standing" + noMark + ".stork@" + worldtest.Domain}), says: []string{badName}},
	{name: "an address with a soft hyphen", login: "row-hyphen", try: fills(object{"emails": "standing.st\u00adork@" + worldtest.Domain}), says: []string{badName}},
	{name: "an address with an accent of its own", login: "row-accent", try: fills(object{"emails": "standing.sto\u0301rk@" + worldtest.Domain}), says: []string{badName}},
	{name: "an address with a dot behind it", login: "row-dot", try: fills(object{"emails": stork + "."}), says: []string{"has a full stop at the end"}},
	{name: "an address with spaces around it, which are cut off", login: "row-space", plans: true, kind: "planned", before: func(i *intruder) {
		i.looked[i.way.login] = true
	}, try: func(i *intruder) {
		i.reads(i.removal(object{"emails": "\u00a0" + i.victim() + "\u2003"}), "Waiting")
	}, says: []string{"@" + worldtest.Domain + "\n"}},
	{name: "an address in capitals", login: "row-capitals", try: fills(object{"emails": strings.ToUpper(stork)}), says: []string{"already under way"}},
	{name: "an address of a domain that only begins like ours", login: "row-domain", try: fills(object{"emails": stork + ".evil.example"}), says: []string{"only addresses at"}},
	{name: "an address of a domain that only ends like ours", login: "row-domain-2", try: fills(object{"emails": "standing.stork@evil" + worldtest.Domain}), says: []string{"only addresses at"}},
	{name: "an address that is turned around", login: "row-turned", try: fills(object{"emails": turned + stork}), says: []string{unseen}},
	{name: "an address with a control character", login: "row-control", try: fills(object{"emails": stork + "\x00"}), says: []string{unseen}},
	{name: "an address with an escape of terminals", login: "row-escape", try: fills(object{"emails": "\x1b[31m" + stork}), says: []string{unseen}},
	{name: "an address as Slack writes links", login: "row-link", try: fills(object{"emails": "<" + stork + "|stork>"}), says: []string{"already under way"}},
	{name: "an address with a mention", login: "row-mention", try: fills(object{"emails": "<!here>@" + worldtest.Domain}), says: []string{badName}},
	{name: "an address with a wildcard", login: "row-star", try: fills(object{"emails": "*@" + worldtest.Domain}), says: []string{badName}},
	{name: "an address that climbs up a path", login: "row-climbs", try: fills(object{"emails": "../../user/standing.stork@" + worldtest.Domain}), says: []string{badName}},
	{name: "an address that is longer than IAM's names", login: "row-longer", try: fills(object{"emails": strings.Repeat("a", 60) + "@" + worldtest.Domain}), says: []string{"has 90 characters, and IAM takes 64"}},
	{name: "a name without a domain", login: "row-bare", try: fills(object{"emails": "standing.stork"}), says: []string{"not an e-mail address"}},
	{name: "an address twice", login: "row-double", try: fills(object{"emails": stork + "\n" + stork}), says: []string{"stands here twice"}},
	{name: "100 kB of addresses", login: "row-heap", try: fills(object{"emails": heap}), says: []string{tooLong}, tells: []string{"emails"}},
	{name: "an address that the settings protect", login: "row-protected", plans: true, kind: "unplanned", try: func(i *intruder) {
		i.reads(i.removal(object{"emails": "break-glass-1@" + worldtest.Domain}), "Not run")
	}, says: []string{"is protected by the pattern"}},
	{name: "somebody who is being removed already", login: "row-busy", try: fills(object{"emails": stork}), says: []string{"already under way", "Your request was not started"}},

	{name: "100 kB of reason", login: "row-reason", try: fills(object{"reason": heap}), says: []string{tooLong}, tells: []string{"reason"}},
	{name: "a reason with a control character", login: "row-reason-2", try: fills(object{"reason": "left" + bell}), says: []string{unseen}},
	{name: "a reason that is turned around", login: "row-reason-3", try: fills(object{"reason": turned + "tfel"}), says: []string{unseen}},
	{name: "a reason of blanks", login: "row-reason-4", try: fills(object{"reason": " \n\t "}), says: []string{fillIn}},
	{name: "a reason that nobody can see", login: "row-reason-5", try: fills(object{"reason": noMark + noMark}), says: []string{fillIn}},
	{name: "a reason of letters that show nothing", login: "row-reason-6", try: fills(object{"reason": blank}), says: []string{fillIn}},
	{name: "a reason that isn't there", login: "row-reason-7", try: fills(object{"reason": nil}), says: []string{fillIn}, tells: []string{"reason"}},
	{name: "two reasons", login: "row-reason-8", try: fills(object{"reason": object{"reason": object{"type": "plain_text_input", "value": "a"}, "other": object{"type": "plain_text_input", "value": "b"}}}), says: []string{"Only one value"}},
	{name: "100 kB of ticket", login: "row-ticket", try: fills(object{"ticket": heap}), says: []string{tooLong}, tells: []string{"ticket"}},
	{name: "a ticket with a control character", login: "row-ticket-2", try: fills(object{"ticket": "\x1b]8;;http://evil.example"}), says: []string{unseen}},
	{name: "a ticket that is turned around", login: "row-ticket-3", try: fills(object{"ticket": turned + "7-POR"}), says: []string{unseen}},
	{name: "100 kB of consent", login: "row-consent", try: fills(object{"confirmed": ticked("confirmed", heap)}), says: []string{tooLong}},
	{name: "a consent that isn't there", login: "row-consent-2", try: fills(object{"confirmed": nil}), says: []string{"Please confirm this"}},
	{name: "a consent that says no", login: "row-consent-3", try: fills(object{"confirmed": ticked("confirmed", "no")}), says: []string{"Please confirm this"}},
	{name: "addresses that aren't there", login: "row-no-address", try: fills(object{"emails": nil}), says: []string{fillIn}},
	{name: "a form without any field", login: "row-no-field", try: submits("ask:remove-user", desk, object{}), says: []string{fillIn, "Please confirm this"}},
	{name: "a form without a state", login: "row-no-state", try: func(i *intruder) {
		p := i.removal(nil)
		delete(p["view"].(object), "state")
		i.sends("interactive", p)
	}, says: []string{fillIn}},
	{name: "a field that wasn't on the form", login: "row-field", try: fills(object{"approvals": "0"}), says: []string{notAsked}, tells: []string{"approvals"}},
	{name: "a field that names an approver", login: "row-field-2", try: fills(object{"reviews": badger}), says: []string{notAsked}},
	{name: "a field whose name is 100 kB long", login: "row-field-3", try: fills(object{strings.Repeat("x", 100_000): "1"}), says: []string{notAsked}},
	{name: "a thousand fields that weren't on the form", login: "row-field-4", try: fills(func() object {
		fields := object{}
		for n := range 1000 {
			fields[fmt.Sprintf("field %d %s", n, strings.Repeat("&", 100))] = "1"
		}
		return fields
	}()), says: []string{notAsked}},
	{name: "markup in every field that takes a text", login: "row-markup", plans: true, kind: "planned", before: func(i *intruder) {
		i.looked[i.way.login] = true
	}, try: func(i *intruder) {
		i.reads(i.removal(object{"reason": markup, "ticket": markup}), "Waiting")
	}, says: []string{"Reason: `<!here> <@U0VICTIM>", "Waiting"}},

	{name: "the form of another operation", login: "row-form", try: func(i *intruder) {
		p := i.removal(nil)
		p["view"].(object)["callback_id"] = "ask:scim-sync"
		i.sends("interactive", p)
	}, says: []string{notAsked}, tells: []string{"/scim-sync"}},
	{name: "a form of an operation that the bot doesn't have", login: "row-form-2", try: submits("ask:root-shell", desk, because), says: []string{notMine, nothing}},
	{name: "a form without a name", login: "row-form-3", try: submits("", desk, because), says: []string{notMine, nothing}},
	{name: "a form of a decision that the bot doesn't know", login: "row-form-4", try: decides("obliterate", "no longer needed"), says: []string{notMine}, tells: []string{"obliterate"}},
	{name: "a form whose metadata is broken", login: "row-meta", try: submits("decide:reject", broken, because), says: []string{notMine, nothing}, tells: []string{"a form that the bot didn't make"}},
	{name: "a form whose metadata is another request's", login: "row-meta-2", try: submits("decide:reject", func(i *intruder) string { return metadata(i.standing.id + ":" + i.past.digest) }, because), kind: "too-late", says: []string{"The plan has changed", changedNothing}, tells: []string{"reject"}},
	{name: "a form whose metadata is a request that doesn't exist", login: "row-meta-3", try: submits("decide:reject", func(*intruder) string { return metadata(noSuchRequest + ":0") }, because), says: []string{"There is no such request", changedNothing}, tells: []string{"reject"}},
	{name: "a form whose metadata is no request", login: "row-meta-4", try: submits("decide:reject", func(*intruder) string { return "{}" }, because), says: []string{"There is no such request", changedNothing}},
	{name: "a form whose metadata is a request that has ended", login: "row-meta-5", try: submits("decide:reject", func(i *intruder) string { return metadata(i.past.value()) }, because), kind: "too-late", says: []string{"That comes too late", changedNothing}},
	{name: "a form of approval by who asked", actor: otter, try: func(i *intruder) {
		i.sends("interactive", i.form("decide:approve", metadata(i.standing.value()), object{"name": text("name", i.standing.email)}))
	}, says: []string{"You asked for this, so somebody else must approve it"}},
	{name: "a form of approval by who isn't in the team", login: "row-name", github: (*githubtest.Server).AddToOrganization, try: func(i *intruder) {
		i.sends("interactive", i.form("decide:approve", metadata(i.standing.value()), object{"name": text("name", i.standing.email)}))
	}, says: []string{noMember}},
	{name: "a form of approval without the name", login: "row-name-2", try: submits("decide:approve", func(i *intruder) string { return metadata(i.standing.value()) }, because), says: []string{fillIn}},
	{name: "Run again, as a decision", login: "row-retry", try: decides("retry", "once more"), says: []string{"I don't know that button"}},

	{name: "a rejection without a reason", login: "row-rejects", try: decides("reject", ""), says: []string{fillIn}, tells: []string{"reject"}},
	{name: "a rejection for a reason that nobody can see", login: "row-rejects-2", try: decides("reject", noMark+noMark), says: []string{fillIn}},
	{name: "a rejection with a control character", login: "row-rejects-3", try: decides("reject", "no"+bell), says: []string{unseen}},
	{name: "a rejection that is turned around", login: "row-rejects-4", try: decides("reject", turned+"on"), says: []string{unseen}},
	{name: "a rejection with 100 kB of reason", login: "row-rejects-5", try: decides("reject", heap), says: []string{tooLong}},
	{name: "a rejection by somebody who isn't in the team", login: "row-rejects-6", github: (*githubtest.Server).AddToOrganization, try: decides("reject", "no"), says: []string{noMember}, tells: []string{"reject"}},
	{name: "a rejection by a guest", login: "row-rejects-7", user: slacktest.User{Restricted: true}, try: decides("reject", "no"), says: []string{"Guests may not use this"}},
	{name: "breaking the glass by a member who isn't among those who may", login: "row-glass", try: decides("break-glass", "It can't wait."), says: []string{"Only those whom the bot's settings name under break_glass", changedNothing}, tells: []string{"break-glass"}},
	{name: "breaking the glass by who asked", actor: otter, try: decides("break-glass", "It can't wait."), says: []string{"Only those whom the bot's settings name"}},
	{name: "breaking the glass by somebody who isn't in the team", login: "row-glass-2", github: (*githubtest.Server).AddToOrganization, try: decides("break-glass", "It can't wait."), says: []string{noMember}},
	{name: "breaking the glass without a reason", actor: badger, try: decides("break-glass", " "), says: []string{fillIn}, tells: []string{"break-glass"}},
	{name: "breaking the glass for a reason that nobody can see", actor: badger, try: decides("break-glass", blank+noMark), says: []string{fillIn}},
	{name: "breaking the glass with an edited digest", actor: badger, kind: "too-late", try: submits("decide:break-glass", func(i *intruder) string { return metadata(i.standing.id + ":" + i.past.digest) }, because), says: []string{"The plan has changed", changedNothing}},
	{name: "breaking the glass that is broken already", actor: badger, kind: "too-late", try: turns("break-glass", "It can't wait."), says: []string{"That comes too late", changedNothing}},
	{name: "the look afterwards by the one who broke the glass", actor: badger, try: turns("reviewed", "It was needed."), says: []string{"Somebody else must look at it"}, tells: []string{"reviewed"}},
	{name: "the look afterwards by the one who asked", actor: otter, try: turns("reviewed", "It was needed."), says: []string{"Somebody else must look at it"}},
	{name: "the look afterwards by somebody who isn't in the team", login: "row-looked", github: (*githubtest.Server).AddToOrganization, try: turns("reviewed", "It was needed."), says: []string{noMember}},
	{name: "breaking the glass with a control character", actor: badger, try: decides("break-glass", "now"+bell), says: []string{unseen}},
	{name: "breaking the glass for a reason that is turned around", actor: badger, try: decides("break-glass", turned+"won"), says: []string{unseen}},
	{name: "breaking the glass with 100 kB of reason", actor: badger, try: decides("break-glass", heap), says: []string{tooLong}},
	{name: "the look afterwards with a control character", login: "row-looked-4", try: turns("reviewed", "fine"+bell), says: []string{unseen}},
	{name: "the look afterwards in words that are turned around", login: "row-looked-5", try: turns("reviewed", turned+"enif"), says: []string{unseen}},
	{name: "the look afterwards in 100 kB of words", login: "row-looked-6", try: turns("reviewed", heap), says: []string{tooLong}},
	{name: "the look afterwards in words that nobody can see", login: "row-looked-7", try: turns("reviewed", blank), says: []string{fillIn}},
	{name: "Restore with a control character", login: "row-restores-5", try: turns("undo", "back"+bell), says: []string{unseen}},
	{name: "Restore for a reason that is turned around", login: "row-restores-6", try: turns("undo", turned+"kcab"), says: []string{unseen}},
	{name: "Restore with 100 kB of reason", login: "row-restores-7", try: turns("undo", heap), says: []string{tooLong}},
	{name: "the look afterwards without a word", login: "row-looked-2", try: turns("reviewed", ""), says: []string{fillIn}},
	{name: "Restore without a reason", login: "row-restores", try: turns("undo", "  "), says: []string{fillIn}, tells: []string{"undo"}},
	{name: "Restore for a reason that nobody can see", login: "row-restores-2", try: turns("undo", noMark), says: []string{fillIn}},
	{name: "Restore by somebody who isn't in the team", login: "row-restores-3", github: (*githubtest.Server).AddToOrganization, try: turns("undo", "A mistake."), says: []string{noMember}, tells: []string{"undo"}},
	{name: "Restore by a stranger in a shared channel", login: "row-restores-4", user: slacktest.User{TeamID: elsewhere, Stranger: true}, try: turns("undo", "A mistake."), says: []string{notOurs}},
}

// asksFor types words behind /scim-sync.
func asksFor(words string) func(*intruder) {
	return func(i *intruder) { i.types(i.Log, "/scim-sync", words) }
}

const noLogin = "can't be a GitHub login"

var byTyping = []way{
	{name: "a shell's parentheses for a login", login: "row-types", try: asksFor("$(reboot)"), says: []string{noLogin, nothing}, tells: []string{"/scim-sync", "was wrong"}},
	{name: "a shell's backquotes for a login", login: "row-types-2", try: asksFor("`reboot`"), says: []string{noLogin, nothing}},
	{name: "a shell's pipe for a login", login: "row-types-3", try: asksFor("otter|reboot"), says: []string{noLogin, nothing}},
	{name: "a path that climbs up for a login", login: "row-types-4", try: asksFor("../../" + worldtest.Team), says: []string{noLogin, nothing}},
	{name: "an escaped path for a login", login: "row-types-5", try: asksFor("%2e%2e%2fotter"), says: []string{noLogin, nothing}},
	{name: "a query for a login", login: "row-types-6", try: asksFor("otter?role=maintainer"), says: []string{noLogin, nothing}},
	{name: "another language for a login", login: "row-types-7", try: asksFor("'--"), says: []string{noLogin, nothing}},
	{name: "a flag for a login", login: "row-types-8", try: asksFor("--force"), says: []string{noLogin, nothing}},
	{name: "a template for a login", login: "row-types-9", try: asksFor("{{.Env}}"), says: []string{noLogin, nothing}},
	{name: "a mention for a login", login: "row-types-10", try: asksFor("<!here>"), says: []string{noLogin, nothing}},
	{name: "a Cyrillic letter in a login", login: "row-types-11", try: asksFor("\u043etter"), says: []string{noLogin, nothing}},
	{name: "a space without width in a login", login: "row-types-12", try: asksFor("ot" + noMark + "ter"), says: []string{noLogin, nothing}},
	{name: "a login that is turned around", login: "row-types-13", try: asksFor(turned + "retto"), says: []string{unseen, nothing}},
	{name: "a control character in a login", login: "row-types-14", try: asksFor("otter" + bell), says: []string{unseen, nothing}},
	{name: "3000 ampersands for a login", login: "row-types-15", try: asksFor(strings.Repeat("&", 3000)), says: []string{noLogin, nothing}},
	{name: "two commands in one", login: "row-types-16", try: asksFor("otter;reboot"), says: []string{"reboot", nothing}},
	{name: "100 kB behind a command", login: "row-types-17", try: asksFor(heap), says: []string{"more than anybody types", nothing}, tells: []string{"/scim-sync"}},
	{name: "100 kB behind a command that opens a form", login: "row-types-18", try: func(i *intruder) { i.types(i.Desk, "/aws-remove-user", heap) }, says: []string{"more than anybody types", nothing}, tells: []string{"/aws-remove-user"}},
	{name: "100 kB behind /rootbot", try: func(i *intruder) { i.types(i.Log, "/rootbot", "history "+strings.ReplaceAll(heap, " ", "-")) }, says: []string{unknown}, tells: []string{"/rootbot history"}},
	{name: "a command in the wrong channel", login: "row-place", try: func(i *intruder) { i.types(i.General, "/aws-remove-user", stork) }, says: []string{"in <#C0RELIABILITY>", "Nothing was changed"}, tells: []string{"/aws-remove-user"}},
	{name: "a command that the bot doesn't have", login: "row-command", try: func(i *intruder) { i.sends("slash_commands", i.command("/root-shell", "", nil)) }, says: []string{"This bot doesn't offer `/root-shell`", nothing}, tells: []string{"/root-shell"}},
	{name: "a command without a name", login: "row-command-2", try: func(i *intruder) { i.sends("slash_commands", i.command("", "", nil)) }, says: []string{"This bot doesn't offer", nothing}},
}

// reads sends the form that asks for a removal, and reads its card once that
// says something.
func (i *intruder) reads(form object, says string) {
	i.Helper()
	if _, err := i.Slack.Send(i.Context(), "interactive", form); err != nil {
		i.Fatal(err)
	}
	i.carded(says)
}

// carded waits until the newest card that the intruder asked for says something.
func (i *intruder) carded(says string) {
	i.Helper()
	i.wait("a card that says "+says, func() bool {
		for _, m := range append(i.Slack.Messages(i.Desk.ID), i.cards()...) {
			if text := m.PlainText(); strings.Contains(text, "<@"+i.who.ID+">") {
				i.said = text
			}
		}
		return strings.Contains(i.said, says)
	})
}
