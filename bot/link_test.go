package bot_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"sync"
	"testing"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// idle is a house at noon whose desk hasn't begun: people are linked there, and
// nothing is run.
func idle(t *testing.T) *house {
	t.Helper()
	h := build(t)
	h.stand(noon)
	h.furnish()
	h.Team.Device = team.Device{ClientID: "Iv23", URL: h.gh.URL()}
	return h
}

// account is somebody's on GitHub, who is added where missing.
func (h *house) account(login string) team.Account {
	h.t.Helper()
	return team.Account{ID: h.gh.AddUser(login), Login: login}
}

// links ties a user to an account, as if they had proved that it is theirs, and
// another member had confirmed it where that is needed.
func (h *house) links(user, login string) {
	h.t.Helper()
	if link := h.proves(user, login); !link.Asked.IsZero() {
		h.confirms(link)
	}
}

// proves ties a user to an account, as if they had proved that it is theirs.
func (h *house) proves(user, login string) store.Link {
	h.t.Helper()
	if err := h.Link(h.t.Context(), by(user), h.account(login)); err != nil {
		h.t.Fatal(err)
	}
	return h.linkOf(user)
}

func (h *house) linkOf(user string) store.Link {
	h.t.Helper()
	link, err := h.Store.LinkOf(h.t.Context(), "T1", user)
	if err != nil {
		h.t.Fatal(err)
	}
	return link
}

// announced has the log channel have been told of a link.
func (h *house) announced(link store.Link) {
	h.t.Helper()
	if err := h.Store.ToldOfLink(h.t.Context(), link, h.now()); err != nil {
		h.t.Fatal(err)
	}
}

// confirms has monalisa confirm a link that the log channel was told of.
func (h *house) confirms(link store.Link) {
	h.t.Helper()
	h.announced(link)
	if _, err := h.AboutLink(h.t.Context(), request.Click{Asker: by("U4"), Verb: bot.ConfirmsLink, Digest: link.Key()}); err != nil {
		h.t.Fatal(err)
	}
}

// kept is what is recorded of no request, without when.
func (h *house) kept(kinds ...string) []request.Event {
	h.t.Helper()
	all, err := h.Store.Events(h.t.Context(), "")
	if err != nil {
		h.t.Fatal(err)
	}
	var found []request.Event
	for _, e := range all {
		for _, kind := range kinds {
			if e.Kind == kind {
				e.Seq, e.Hash = 0, ""
				found = append(found, e)
			}
		}
	}
	return found
}

// fault checks what people read of a fault and of which kind it is.
func fault(t *testing.T, err error, kind ops.Kind, words ...string) {
	t.Helper()
	if err == nil {
		t.Error("it was allowed")
		return
	}
	if got := ops.KindOf(err); got != kind {
		t.Errorf("the kind is %d, want %d: %v", got, kind, err)
	}
	says(t, ops.Words(err, ""), words...)
}

func TestWhoMayBeginToProveWhoTheyAre(t *testing.T) {
	t.Parallel()
	h := idle(t)
	h.becomes("U8", team.Person{Workspaces: []string{"T1"}, Guest: true})
	h.becomes("U9", team.Person{})
	h.links("U11", "owl")
	h.gh.RenameUser("owl", "barn-owl")
	calls := len(h.gh.Calls())
	for _, test := range []struct {
		name   string
		asker  request.Asker
		change func(*team.Team)
		kind   ops.Kind // Internal: they may
		says   []string
	}{
		{name: "a full member of whom nothing is known may", asker: by("U7")},
		{name: "a guest may not", asker: by("U8"), kind: ops.Refused, says: []string{"Guests may not", admins}},
		{name: "somebody of whom the chat says nothing may not", asker: by("U9"), kind: ops.Unavailable, says: []string{"Slack didn't say who you are", admins}},
		{name: "a person of another workspace may not", asker: request.Asker{Front: "slack", Workspace: "T2", User: "U7"}, kind: ops.Refused, says: []string{"not of the workspace"}},
		{name: "whom the settings name may not", asker: by("U1"), kind: ops.Refused, says: []string{"octocat", "they win over a link"}},
		{name: "who has linked an account may not", asker: by("U11"), kind: ops.Refused, says: []string{"owl on 2 Mar 2026 already", "`/rootbot unlink` first"}},
		{name: "nobody may where there is no client ID", asker: by("U7"), change: func(m *team.Team) { m.Device.ClientID = "" }, kind: ops.Refused, says: []string{"github.client_id", "#aws-root-account"}},
		{name: "nobody may where links aren't kept", asker: by("U7"), change: func(m *team.Team) { m.Links = nil }, kind: ops.Refused, says: []string{"isn't switched on"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			people, links, device := h.Team.People, h.Team.Links, h.Team.Device
			if test.change != nil {
				test.change(h.Team)
			}
			err := h.MayBegin(t.Context(), test.asker)
			h.Team.People, h.Team.Links, h.Team.Device = people, links, device
			if test.kind == ops.Internal {
				if err != nil {
					t.Errorf("MayBegin: %v", err)
				}
				return
			}
			fault(t, err, test.kind, test.says...)
		})
	}
	if now := h.gh.Calls(); len(now) > calls {
		t.Errorf("GitHub was asked %v", now[calls:])
	}
}

func TestALinkIsRecordedAndMembersReadOfIt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		world  func(*githubtest.Server)
		member bool
	}{
		{"a member", func(gh *githubtest.Server) { gh.AddMember(admins, "owl") }, true},
		{"a member of a child team", func(gh *githubtest.Server) {
			gh.AddTeam("night-watch", admins)
			gh.AddMember("night-watch", "owl")
		}, true},
		{"somebody who was invited and hasn't accepted", func(gh *githubtest.Server) { gh.AddPending(admins, "owl") }, false},
		{"somebody of the organisation who isn't in the team", func(gh *githubtest.Server) { gh.AddToOrganization("owl") }, false},
		{"somebody whom GitHub alone knows", func(*githubtest.Server) {}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := idle(t)
			test.world(h.gh)
			owl := h.account("owl")
			if err := h.Link(t.Context(), by("U7"), owl); err != nil {
				t.Fatal(err)
			}
			same(t, "the record", []request.Event{{At: noon, Kind: "linked", By: "owl", Data: map[string]any{
				"user": "slack:T1/U7", "github": "owl", "github_id": float64(owl.ID), "how": "device flow",
			}}}, h.kept("linked", "claimed"))
			link, err := h.Store.LinkOf(t.Context(), "T1", "U7")
			want := store.Link{Workspace: "T1", User: "U7", GitHub: owl.ID, Login: "owl", At: noon, How: "device flow"}
			if test.member {
				want.Asked = noon
			}
			same(t, "the link", want, link)
			if err != nil {
				t.Error(err)
			}
			told := withoutStamps(h.told(""))
			if !test.member {
				same(t, "what members read", []request.Message(nil), told)
			} else if len(told) != 1 {
				t.Errorf("members read %+v", told)
			} else {
				same(t, "what members read", []request.Message{aboutLink(want)}, told)
			}
			login, err := h.Member(t.Context(), by("U7"))
			if test.member {
				fault(t, err, ops.Refused, "doesn't count before another member confirms it", "Ask hubot, monalisa or octocat to press the button", "#aws-root-account", "by 3 Mar 12:00 UTC")
			} else {
				fault(t, err, ops.Refused, "owl")
				same(t, "who they are", "owl", login)
			}
		})
	}
}

// aboutLink is the message by which the log channel is told of a link.
func aboutLink(l store.Link) request.Message {
	whose := request.Asker{Front: "slack", Workspace: l.Workspace, User: l.User}
	return request.Message{Thread: "linking/" + l.Key(), Kind: request.Linking, Body: request.Body{For: &whose, Other: l.Key()}}
}

func TestNobodyIsLinkedWhileGitHubDoesntSayWhetherMembersMustReadOfIt(t *testing.T) {
	t.Parallel()
	h := idle(t)
	h.gh.AddMember(admins, "owl")
	h.gh.Fail("/orgs", githubtest.Fault{Status: 502, Times: 3})
	fault(t, h.Link(t.Context(), by("U7"), h.account("owl")), ops.Unavailable, "can't check whether owl is a member", "502")
	same(t, "what is recorded and told", []string(nil), append(kindsOf(h.told("")), h.events("")...))
	h.proves("U7", "owl")
	same(t, "what is told", []string{request.Linking}, kindsOf(h.told("")))
}

func TestAClaimToWhatIsSomebodyElsesIsRefusedAndItsOwnerTold(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, user, login, owner string
		before                   func(*house)
		says                     []string
	}{
		{name: "the settings give the login to somebody", user: "U8", login: "mallory", owner: "U3", says: []string{"mallory", "settings say", "somebody else", "#aws-root-account"}},
		{name: "the settings give the login to somebody in another case", user: "U8", login: "MALLORY", owner: "U3", says: []string{"MALLORY", "settings say"}},
		{name: "the settings give them another login", user: "U3", login: "owl", says: []string{"mallory", "they win over a link"}},
		{
			name: "they are a guest", user: "U8", login: "owl", says: []string{"Guests may not"},
			before: func(h *house) { h.becomes("U8", team.Person{Workspaces: []string{"T1"}, Guest: true}) },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := idle(t)
			h.gh.AddMember(admins, "owl")
			if test.before != nil {
				test.before(h)
			}
			wants, told := h.account(test.login), len(h.told(""))
			before, _ := h.Store.LinkOf(t.Context(), "T1", test.user)
			stands, _ := h.Store.LinkTo(t.Context(), wants.ID)
			err := h.Link(t.Context(), by(test.user), wants)
			fault(t, err, ops.Refused, test.says...)
			record := h.kept("claimed")
			if len(record) != 1 {
				t.Fatalf("%d claims are recorded", len(record))
			}
			why := fmt.Sprint(record[0].Data["reason"])
			same(t, "the record", []request.Event{{At: noon, Kind: "claimed", By: "slack:T1/" + test.user, Data: map[string]any{
				"github": test.login, "github_id": float64(wants.ID), "owner": test.owner, "reason": why,
			}}}, record)
			says(t, ops.Words(err, ""), why)
			says(t, why, test.says[0])
			after, _ := h.Store.LinkOf(t.Context(), "T1", test.user)
			same(t, "the link of who claims", before, after)
			now, _ := h.Store.LinkTo(t.Context(), wants.ID)
			same(t, "the link to the account", stands, now)
			letters := withoutStamps(h.told(""))[told:]
			if test.owner == "" {
				same(t, "what is told", []request.Message(nil), letters)
				return
			}
			if len(letters) != 1 {
				t.Fatalf("%d letters are written: %+v", len(letters), letters)
			}
			says(t, letters[0].Body.Text, test.login, "which is yours", "refused", "#aws-root-account")
			claimer := by(test.user)
			same(t, "the letter", []request.Message{{Thread: "letter/" + test.owner, Kind: request.Letter, Body: request.Body{
				Text: letters[0].Body.Text, For: &request.Asker{Front: "slack", Workspace: "T1", User: test.owner}, About: &claimer,
			}}}, letters)
		})
	}
}

func TestWhoProvesTheSameTwiceIsToldAndNothingChanges(t *testing.T) {
	t.Parallel()
	h := idle(t)
	h.gh.AddMember(admins, "owl")
	h.links("U7", "owl")
	before, told := h.kept("linked", "claimed"), h.told("")
	fault(t, h.Link(t.Context(), by("U7"), h.account("owl")), ops.Refused, "linked the GitHub account owl already")
	fault(t, h.Link(t.Context(), by("U7"), h.account("crow")), ops.Refused, "linked the GitHub account owl already")
	same(t, "the record", before, h.kept("linked", "claimed"))
	same(t, "what is told", told, h.told(""))
	if _, err := h.Store.LinkTo(t.Context(), h.gh.ID("crow")); err == nil {
		t.Error("the second account is linked")
	}
}

func TestWhoUnlinksIsNobodyUntilTheyLinkAgain(t *testing.T) {
	t.Parallel()
	h := idle(t)
	h.gh.AddMember(admins, "owl")
	_, err := h.Unlink(t.Context(), by("U7"))
	fault(t, err, ops.Refused, "linked no GitHub account")
	h.links("U7", "owl")
	id := h.gh.ID("owl")
	h.gh.RenameUser("owl", "barn-owl")

	h.becomes("U7", team.Person{Workspaces: []string{"T1"}, Guest: true})
	_, err = h.Unlink(t.Context(), by("U7"))
	fault(t, err, ops.Refused, "Guests may not")
	h.becomes("U7", team.Person{Workspaces: []string{"T1"}})
	for _, other := range []request.Asker{by("U8"), by("u7")} {
		_, err = h.Unlink(t.Context(), other)
		fault(t, err, ops.Refused, "linked no GitHub account")
	}
	_, err = h.Unlink(t.Context(), request.Asker{Front: "slack", Workspace: "T2", User: "U7"})
	fault(t, err, ops.Refused, "not of the workspace")
	if login, err := h.Member(t.Context(), by("U7")); err != nil || login != "barn-owl" {
		t.Fatalf("before they unlink they are %q, %v", login, err)
	}

	login, err := h.Unlink(t.Context(), by("U7"))
	if login != "owl" || err != nil {
		t.Errorf("Unlink: %q, %v", login, err)
	}
	same(t, "the record", []request.Event{{At: noon, Kind: "unlinked", By: "slack:T1/U7", Data: map[string]any{"github": "owl", "github_id": float64(id)}}}, h.kept("unlinked", "claimed"))
	_, err = h.Member(t.Context(), by("U7"))
	fault(t, err, ops.Refused, "don't know which GitHub login", "`/rootbot link`")
	_, err = h.Unlink(t.Context(), by("U7"))
	fault(t, err, ops.Refused, "linked no GitHub account")

	// The account is free for whoever proves it next, and so are they.
	if err := h.MayBegin(t.Context(), by("U7")); err != nil {
		t.Error(err)
	}
	h.links("U8", "barn-owl")
	if _, err := h.Unlink(t.Context(), by("U8")); err != nil {
		t.Fatal(err)
	}
	h.links("U7", "barn-owl")
	if login, err := h.Member(t.Context(), by("U7")); err != nil || login != "barn-owl" {
		t.Errorf("linked again they are %q, %v", login, err)
	}
	same(t, "how many were announced", 3, len(h.kept("linked")))
	if _, err := h.Store.Verify(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func TestOfManyWhoProveAnAccountAtOnceOneHasIt(t *testing.T) {
	t.Parallel()
	h := idle(t)
	h.gh.AddMember(admins, "owl")
	owl := h.account("owl")
	var wait sync.WaitGroup
	for i := range 6 {
		wait.Go(func() {
			if err := h.Link(t.Context(), by(fmt.Sprintf("U7%d", i)), owl); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	links, err := h.Store.Links(t.Context(), "T1")
	if err != nil || len(links) != 1 || len(h.kept("linked")) != 6 {
		t.Fatalf("there are the links %+v, %v; recorded are %d", links, err, len(h.kept("linked")))
	}
	last := h.kept("linked")[5]
	same(t, "whose it is", last.Data["user"], any("slack:T1/"+links[0].User))
}

// publicKey is nobody's, and takes no time to make.
func publicKey(t *testing.T) string {
	t.Helper()
	n := new(big.Int).Lsh(big.NewInt(1), 2047)
	der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537})
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func TestWhoHasProvedWhoTheyAreAsksAndApproves(t *testing.T) {
	t.Parallel()
	s := &shelf{plan: *planOf(1)}
	h := build(t)
	h.stand(noon)
	h.terms = map[string]request.Terms{"tidy-up": demands(1)}
	app := h.gh.AddApp(githubtest.App{PublicKey: publicKey(t)})
	h.settle = func(d *bot.Desk) { d.Team.Device = team.Device{ClientID: app.ClientID, URL: h.gh.URL()} }
	h.begin(s.operation())
	h.gh.AddMember(admins, "owl")

	asked := bot.Asking{Operation: "tidy-up", Asker: by("U7")}
	if r := h.ended(h.asking(asked).ID); r.State != request.Refused {
		t.Errorf("before the proof it ended as %s", r.State)
	} else {
		says(t, r.Reason, "don't know which GitHub login", "`/rootbot link`")
	}
	if err := h.MayBegin(t.Context(), by("U7")); err != nil {
		t.Fatal(err)
	}
	code, err := h.Team.Device.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.gh.Authorize(code.User, "owl"); err != nil {
		t.Fatal(err)
	}
	account, err := code.Proof(t.Context(), h.Team.GitHub)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Link(t.Context(), by("U7"), account); err != nil {
		t.Fatal(err)
	}
	h.gh.RenameUser("owl", "barn-owl")
	h.confirms(h.linkOf("U7"))
	if login, err := h.Member(t.Context(), by("U7")); err != nil || login != "barn-owl" {
		t.Errorf("they are %q, %v", login, err)
	}

	r := h.reach(h.asking(asked).ID, request.Waiting)
	says(t, h.press("U7", request.Approve, r, ""), "You asked for this")
	h.press("U2", request.Approve, r, "")
	if r = h.ended(r.ID); r.State != request.Succeeded || r.By != "barn-owl" {
		t.Errorf("what they asked for ended as %s by %s: %s", r.State, r.By, r.Reason)
	}
	r = h.waiting()
	h.press("U7", request.Approve, r, "")
	if r = h.ended(r.ID); r.State != request.Succeeded {
		t.Errorf("what they approved ended as %s: %s", r.State, r.Reason)
	}
	same(t, "who a step is told approved", []string{"barn-owl"}, s.approvers)

	for _, given := range h.gh.UserTokens() {
		if used := h.gh.CallsWith(given.Text); len(used) != 1 || used[0].Path != "/user" {
			t.Errorf("their token was used for %+v", used)
		}
	}
	h.hides(t, "their key", "ghu_", "ghr_", code.User)
	if problems := h.gh.Problems(); problems != nil {
		t.Error(problems)
	}
}
