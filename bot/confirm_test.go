package bot_test

import (
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
)

func TestWhoMayConfirmALink(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, user string
		before     func(*house, store.Link)
		says       []string // none: it is confirmed
	}{
		{name: "another member", user: "U4"},
		{name: "a member by a link that is confirmed", user: "U8", before: func(h *house, _ store.Link) {
			h.gh.AddMember(admins, "crow")
			h.links("U8", "crow")
		}},
		{name: "not the linker", user: "U7", says: []string{"doesn't count before another member confirms it"}},
		{name: "not the linker, whom the settings name since", user: "U7", before: func(h *house, _ store.Link) {
			h.Team.Identities["U7"] = "monalisa"
		}, says: []string{"your own link"}},
		{name: "not the linker under another ID of theirs", user: "W7", before: func(h *house, _ store.Link) {
			h.Team.Identities["W7"] = "monalisa"
			h.becomes("W7", team.Person{Workspaces: []string{"T1"}, IDs: []string{"W7", "U7"}})
		}, says: []string{"your own link"}},
		{name: "not the account itself", user: "U9", before: func(h *house, _ store.Link) { h.Team.Identities["U9"] = "owl" }, says: []string{"You are owl yourself", "revoke"}},
		{name: "not a person who is no member", user: "U3", says: []string{"mallory is not a member"}},
		{name: "not a person whom nobody knows", user: "U20", says: []string{"don't know which GitHub login"}},
		{name: "not a member by a link that isn't confirmed", user: "U8", before: func(h *house, _ store.Link) {
			h.gh.AddMember(admins, "crow")
			h.announced(h.proves("U8", "crow"))
		}, says: []string{"doesn't count before another member confirms it"}},
		{name: "nobody after a day", user: "U4", before: func(h *house, _ store.Link) { h.forward(24 * time.Hour) }, says: []string{"too late", "3 Mar 12:00 UTC", "`/rootbot link` again"}},
		{name: "nobody once it is gone", user: "U4", before: func(h *house, _ store.Link) { h.Unlink(h.t.Context(), by("U7")) }, says: []string{"has ended"}},
		{name: "nobody a second time", user: "U2", before: func(h *house, l store.Link) { h.confirms(l) }, says: []string{"monalisa confirmed it at 2 Mar 12:00 UTC already"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := idle(t)
			h.gh.AddMember(admins, "owl")
			link := h.proves("U7", "owl")
			h.announced(link)
			if test.before != nil {
				test.before(h, link)
			}
			confirmed := len(h.kept("link-confirmed"))
			_, err := h.AboutLink(t.Context(), request.Click{Asker: by(test.user), Verb: bot.ConfirmsLink, Digest: link.Key()})
			if test.says != nil {
				fault(t, err, ops.Refused, test.says...)
				same(t, "the confirmations in the record", confirmed, len(h.kept("link-confirmed")))
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if login, err := h.Member(t.Context(), by("U7")); login != "owl" || err != nil {
				t.Errorf("they are %q, %v", login, err)
			}
			record := h.kept("link-confirmed")
			record = record[confirmed:]
			want := map[string]any{"user": "slack:T1/U7", "github": "owl", "github_id": float64(link.GitHub)}
			login, _ := h.Member(t.Context(), by(test.user))
			same(t, "the record", []request.Event{{At: noon, Kind: "link-confirmed", By: login, Data: want}}, record)
		})
	}
}

func TestALinkCountsOnlyOnceTheChannelWasTold(t *testing.T) {
	t.Parallel()
	h := idle(t)
	h.gh.AddMember(admins, "owl")
	link := h.proves("U7", "owl")
	// A member may press the button before the bot has noted that it was shown.
	if _, err := h.AboutLink(t.Context(), request.Click{Asker: by("U4"), Verb: bot.ConfirmsLink, Digest: link.Key()}); err != nil {
		t.Fatal(err)
	}
	_, err := h.Member(t.Context(), by("U7"))
	fault(t, err, ops.Refused, "is confirmed, and #aws-root-account hasn't been told", "Try again in a minute")
	h.announced(link)
	h.forward(time.Minute)
	if login, err := h.Member(t.Context(), by("U7")); login != "owl" || err != nil {
		t.Errorf("they are %q, %v", login, err)
	}
}

func TestALinkThatNobodyConfirmsNeverCountsAndIsProvedAnew(t *testing.T) {
	t.Parallel()
	h := idle(t)
	h.gh.AddMember(admins, "owl")
	link := h.proves("U7", "owl")
	h.announced(link)
	h.forward(23 * time.Hour)
	fault(t, h.MayBegin(t.Context(), by("U7")), ops.Refused, "linked the GitHub account owl", "waits for another member")
	h.forward(2 * time.Hour)
	_, err := h.Member(t.Context(), by("U7"))
	fault(t, err, ops.Refused, "No member did by 3 Mar 12:00 UTC", "`/rootbot link` to prove it again")
	if err := h.MayBegin(t.Context(), by("U7")); err != nil {
		t.Error(err)
	}
	h.links("U7", "owl")
	if login, err := h.Member(t.Context(), by("U7")); login != "owl" || err != nil {
		t.Errorf("they are %q, %v", login, err)
	}
}

func TestALinkToAnAccountThatBecomesAMembersNeedsAConfirmationThen(t *testing.T) {
	t.Parallel()
	h := idle(t)
	link := h.proves("U7", "owl")
	if login, err := h.Identify(t.Context(), by("U7")); login.Login != "owl" || err != nil {
		t.Errorf("outside the team they are %v, %v", login, err)
	}
	same(t, "what is told", []string(nil), kindsOf(h.told("")))
	h.gh.AddMember(admins, "owl")
	h.forward(time.Hour)
	for range 2 {
		_, err := h.Member(t.Context(), by("U7"))
		fault(t, err, ops.Refused, "doesn't count before another member confirms it", "by 3 Mar 13:00 UTC")
	}
	same(t, "what members read", []request.Message{aboutLink(link)}, withoutStamps(h.told("")))
	h.confirms(h.linkOf("U7"))
	if login, err := h.Member(t.Context(), by("U7")); login != "owl" || err != nil {
		t.Errorf("they are %q, %v", login, err)
	}
}

func TestWhereNoOtherMemberIsKnownTheOperatorConfirms(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*house)
		says   []string
	}{
		{"nobody is known", func(h *house) { h.Team.Identities = nil }, []string{"knows no other member", "identities", "`rootbot link confirm owl`"}},
		{"those who are known are no members", func(h *house) { h.Team.Identities = map[string]string{"U3": "mallory"} }, []string{"knows no other member"}},
		{"single sign-on may know others", func(h *house) {
			h.Team.Identities = nil
			h.Team.SAML = team.SAML{Domains: []string{"example.com"}}
		}, []string{"Ask another member to press the button"}},
		{"one other is known", func(h *house) { h.Team.Identities = map[string]string{"U2": "hubot"} }, []string{"Ask hubot to press the button"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := idle(t)
			test.change(h)
			h.gh.AddMember(admins, "owl")
			h.proves("U7", "owl")
			_, err := h.Member(t.Context(), by("U7"))
			fault(t, err, ops.Refused, test.says...)
		})
	}
}

func TestWhoMayRevokeALink(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, user, by string
		says           []string
	}{
		{name: "any member", user: "U2", by: "hubot"},
		{name: "the linker", user: "U7", by: "slack:T1/U7"},
		{name: "not a person who is no member", user: "U3", says: []string{"mallory is not a member"}},
		{name: "not a person whom nobody knows", user: "U20", says: []string{"don't know which GitHub login"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := idle(t)
			h.gh.AddMember(admins, "owl")
			h.links("U7", "owl")
			told := len(h.told(""))
			link, err := h.AboutLink(t.Context(), request.Click{Asker: by(test.user), Verb: bot.RevokesLink, Digest: h.linkOf("U7").Key()})
			_, now := h.Member(t.Context(), by("U7"))
			if test.says != nil {
				fault(t, err, ops.Refused, test.says...)
				if now != nil {
					t.Errorf("after that: %v", now)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			fault(t, now, ops.Refused, "don't know which GitHub login")
			same(t, "the record", []request.Event{{At: noon, Kind: "link-revoked", By: test.by, Data: map[string]any{
				"user": "slack:T1/U7", "github": "owl", "github_id": float64(link.GitHub),
			}}}, h.kept("link-revoked"))
			news := h.told("")[told:]
			same(t, "what is told", []string{request.Linking, request.Letter, request.Private}, kindsOf(news))
			says(t, news[0].Body.Text, "GitHub account owl", test.by+" revoked the link at 2 Mar 12:00 UTC")
			says(t, news[1].Body.Text, test.by+" revoked your link", "`/rootbot link`")
		})
	}
}

func TestANewProofTakesALinkOver(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		before func(*house)
	}{
		{"of a person who is there", func(*house) {}},
		{"of a person who is deactivated", func(h *house) { h.becomes("U7", team.Person{Workspaces: []string{"T1"}, Deleted: true}) }},
		{"of a person of whom the chat says nothing", func(h *house) { h.becomes("U7", team.Person{}) }},
		{"under an earlier login", func(h *house) { h.gh.RenameUser("owl", "barn-owl"); h.gh.RenameUser("barn-owl", "owl") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := idle(t)
			h.gh.AddMember(admins, "owl")
			h.links("U7", "owl")
			test.before(h)
			told := len(h.told(""))
			h.proves("U8", "owl")
			_, err := h.Member(t.Context(), by("U8"))
			fault(t, err, ops.Refused, "doesn't count before another member confirms it")
			_, err = h.Store.LinkOf(t.Context(), "T1", "U7")
			same(t, "the link of before", store.ErrNotFound.Error(), err.Error())
			last := h.kept("linked")[1]
			same(t, "the record", any("slack:T1/U7"), last.Data["before"])
			news := h.told("")[told:]
			same(t, "what is told", []string{request.Letter, request.Linking, request.Linking}, kindsOf(news))
			says(t, news[0].Body.Text, "GitHub account owl", "your link to it has ended", "`/rootbot link`")
			says(t, news[1].Body.Text, "proved anew")
			h.confirms(h.linkOf("U8"))
			if login, err := h.Member(t.Context(), by("U8")); login != "owl" || err != nil {
				t.Errorf("they are %q, %v", login, err)
			}
		})
	}
}

func TestLinksThatStandAtTheUpgradeCountAndAreListedOnce(t *testing.T) {
	t.Parallel()
	h := idle(t)
	h.gh.AddMember(admins, "owl")
	link := store.Link{Workspace: "T1", User: "U7", GitHub: h.gh.ID("owl"), Login: "owl", At: noon, How: "device flow", Confirmed: noon, ConfirmedBy: store.ByUpgrade}
	if err := h.Store.AddLink(t.Context(), link, request.Change{}); err != nil {
		t.Fatal(err)
	}
	if login, err := h.Member(t.Context(), by("U7")); login != "owl" || err != nil {
		t.Errorf("they are %q, %v", login, err)
	}
	for range 2 {
		if err := h.ListLinks(t.Context()); err != nil {
			t.Fatal(err)
		}
		same(t, "what members read", []request.Message{aboutLink(link)}, withoutStamps(h.told("")))
	}
	if _, err := h.AboutLink(t.Context(), request.Click{Asker: by("U2"), Verb: bot.RevokesLink, Digest: link.Key()}); err != nil {
		t.Error(err)
	}
	_, err := h.Member(t.Context(), by("U7"))
	fault(t, err, ops.Refused, "don't know which GitHub login")
}
