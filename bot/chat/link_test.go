package chat_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// lock is an App's public key whose private one nobody needs: a person acts.
var lock = sync.OnceValue(func() string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&key.PublicKey)}))
})

// journal is a log that is kept.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// registry is an office where people may prove who they are: Nemo and Olga, who
// aren't in the settings, to be the members nemo and olga.
type registry struct {
	*office
	olga  slacktest.User
	kept  *journal // of the operator's log
	shown []string // codes
}

// registers is an office where the App's device flow is known to the bot. before
// changes it before the bot begins.
func registers(t *testing.T, options githubtest.Options, before ...func(*registry)) *registry {
	t.Helper()
	r := &registry{office: build(t, slacktest.Options{}), kept: &journal{}}
	options.DeviceInterval = time.Second
	r.onGitHub(options)
	r.gh.AddMember(admins, "nemo")
	r.gh.AddMember(admins, "olga")
	r.gh.AddUser("stray")
	r.olga = r.AddUser(slacktest.User{ID: "U0OLGA", RealName: "Olga"})
	r.Invite(r.home.ID, r.olga.ID)
	r.Invite(r.general.ID, r.olga.ID)
	app := r.gh.AddApp(githubtest.App{Slug: "rootbot", PublicKey: lock()})
	r.log = slog.New(slog.NewJSONHandler(r.kept, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.setUp = func(d *bot.Desk) {
		d.Team.Links, d.Team.Device = d.Store, team.Device{ClientID: app.ClientID, URL: r.gh.URL()}
	}
	for _, change := range before {
		change(r)
	}
	r.begin(tidy(work))
	t.Cleanup(r.discreet)
	return r
}

// asksForACode types /rootbot link and returns the code and what is shown with it.
func (r *registry) asksForACode(who slacktest.User) (code githubtest.Code, shown string) {
	r.t.Helper()
	before := len(r.told(who))
	if said := r.commands(who, r.general, "/rootbot", "link"); said != "" {
		r.t.Fatalf("the ack says %q", said)
	}
	shown = r.hears(who, before+1)
	codes := r.gh.Codes()
	if len(codes) == 0 || !strings.Contains(shown, codes[len(codes)-1].UserCode) {
		r.t.Fatalf("%s is shown %q, and GitHub has given the codes %v", who.Name, shown, codes)
	}
	code = codes[len(codes)-1]
	r.shown = append(r.shown, code.UserCode)
	return code, shown
}

// authorizes is somebody signed in at GitHub typing in a code.
func (r *registry) authorizes(code githubtest.Code, login string) {
	r.t.Helper()
	if err := r.gh.Authorize(code.UserCode, login); err != nil {
		r.t.Fatal(err)
	}
}

// links has a user prove to be a login, and ada confirm it where that is needed. It
// returns what the linker is told.
func (r *registry) links(who slacktest.User, login string) string {
	r.t.Helper()
	said := r.proves(who, login)
	if strings.Contains(said, "before another member confirms it") {
		r.confirms(who, login)
	}
	return said
}

// confirms has ada confirm a link under what the log channel is told of it.
func (r *registry) confirms(who slacktest.User, login string) {
	r.t.Helper()
	before := len(r.told(r.ada))
	r.presses(r.ada, r.announced(who, login), "link-confirm")
	if said := r.hears(r.ada, before+1); !strings.Contains(said, "<@"+who.ID+"> is "+login) {
		r.t.Errorf("ada reads %q", said)
	}
}

// announced is what the log channel is told of a link.
func (r *registry) announced(who slacktest.User, login string) (found slacktest.Message) {
	r.t.Helper()
	r.wait("announced", func() bool {
		for _, m := range r.cards() {
			if text := m.PlainText(); strings.Contains(text, "<@"+who.ID+"> says") && strings.Contains(text, login) && len(r.recordedTold("linking")) > 0 {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// recordedTold are the receipts of messages of a kind.
func (r *registry) recordedTold(kind string) []request.Event {
	r.t.Helper()
	return slices.DeleteFunc(r.recorded("told"), func(e request.Event) bool { return e.Data["message"] != kind })
}

// proves has a user prove to be a login, and returns what they are told.
func (r *registry) proves(who slacktest.User, login string) string {
	r.t.Helper()
	code, _ := r.asksForACode(who)
	before := len(r.told(who))
	r.authorizes(code, login)
	return r.hears(who, before+1)
}

// recorded are the events of a kind.
func (o *office) recorded(kind string) []request.Event {
	o.t.Helper()
	all, err := o.desk.Store.Events(o.t.Context(), "")
	if err != nil {
		o.t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(e request.Event) bool { return e.Kind != kind })
}

// discreet complains if a code or a token of GitHub's got anywhere but before
// the eyes of whom it was for: into the log, into the database, or into anything
// that the bot has ever told Slack beside the answers to a command.
func (r *registry) discreet() {
	r.leave()
	secrets := slices.Clone(r.shown)
	for _, token := range r.gh.UserTokens() {
		secrets = append(secrets, token.Text)
	}
	kept, err := os.ReadFile(strings.TrimPrefix(r.address, "sqlite:"))
	if err != nil {
		r.t.Error(err)
	}
	places := map[string]string{"the log": r.kept.String(), "the database": string(kept)}
	for _, call := range r.Calls() {
		places[call.Method] += fmt.Sprint(call.Args)
	}
	for _, u := range r.Users() {
		for _, m := range r.Ephemerals(u.ID) {
			places["what "+u.Name+" is told"] += m.Text
		}
	}
	for _, secret := range secrets {
		seen := 0
		for place, text := range places {
			switch {
			case !strings.Contains(text, secret):
			case strings.HasPrefix(place, "what ") && !strings.HasPrefix(secret, "ghu_"):
				seen++
			default:
				r.t.Errorf("%q stands in %s", secret, place)
			}
		}
		if seen > 1 {
			r.t.Errorf("the code %q is shown to %d people", secret, seen)
		}
	}
	if r.kept.String() == "" {
		r.t.Error("nothing was logged, so nothing is known of the log")
	}
}

func TestWhoTypesACodeAtGitHubIsKnownByIt(t *testing.T) {
	t.Parallel()
	r := registers(t, githubtest.Options{})
	code, shown := r.asksForACode(r.nemo)
	contains(t, "what nemo is shown", shown, r.gh.URL()+"login/device", "`"+code.UserCode+"`", "good until "+code.Expires.UTC().Format("15:04")+" UTC", "for you alone")
	r.authorizes(code, "nemo")
	contains(t, "nemo's answer", r.hears(r.nemo, 2), "the GitHub account nemo is yours", "before another member confirms it", "Ask ada, grace or hedy", admins)
	announced := r.announced(r.nemo, "nemo")
	contains(t, "the announcement", announced.PlainText(), "<@U0ADA>", "<@U0NEMO> says to be", "nemo", "a member of the team", admins, "tricked")
	if len(r.cards()) != 1 || len(r.told(r.nemo)) != 2 || announced.ThreadTS != "" {
		t.Errorf("more was told than that:\n%s", r.story())
	}
	told := r.recorded("told")
	if len(told) != 1 || told[0].Data["message"] != "linking" || told[0].Data["channel"] != r.home.ID || told[0].Data["ts"] != announced.TS {
		t.Errorf("recorded as told are %+v", told)
	}
	r.confirms(r.nemo, "nemo")
	r.wait("the announcement amended", func() bool { return strings.Contains(r.again(announced).PlainText(), "ada confirmed it") })
	if buttons := r.again(announced).Buttons(); len(buttons) != 1 {
		t.Errorf("there are the buttons %v", buttons)
	}
	linked := r.recorded("linked")
	if len(linked) != 1 || linked[0].By != "nemo" || linked[0].Data["user"] != "slack:"+r.TeamID+"/U0NEMO" || linked[0].Data["how"] != team.HowDevice {
		t.Errorf("recorded are %+v", linked)
	}
	// The key that GitHub gave opened one door, once.
	for _, token := range r.gh.UserTokens() {
		if calls := r.gh.CallsWith(token.Text); len(calls) != 1 || calls[0].Path != "/user" {
			t.Errorf("with nemo's token GitHub was asked %+v", calls)
		}
	}
	r.types(r.nemo, r.home, "")
	r.wait("a card", func() bool { return len(r.cards()) == 2 })
	contains(t, "the card", r.says(r.cards()[1], "Done").PlainText(), "GitHub: nemo")
	r.fine()
}

func TestALinkOfSomebodyOutsideTheTeamIsNotAnnounced(t *testing.T) {
	t.Parallel()
	r := registers(t, githubtest.Options{})
	contains(t, "nemo's answer", r.links(r.nemo, "stray"), "You are stray on GitHub", "not a member of the team", admins)
	r.quietly()
	if n := len(r.cards()); n != 0 || len(r.recorded("linked")) != 1 {
		t.Errorf("%d messages in the log channel, %d links", n, len(r.recorded("linked")))
	}
	r.types(r.nemo, r.home, "")
	contains(t, "nemo's answer", r.hears(r.nemo, 3), "not a member of the team")
	r.fine()
}

func TestACodeThatComesToNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		expiry time.Duration
		fate   func(*registry, githubtest.Code)
		says   []string
	}{
		{"denied at GitHub", 0, func(r *registry, code githubtest.Code) {
			if err := r.gh.Deny(code.UserCode); err != nil {
				r.t.Error(err)
			}
		}, []string{"cancelled at GitHub", "othing was"}},
		{"nobody typed it in time", 2 * time.Second, nil, []string{"in time", "othing was", "/rootbot link"}},
		{"the bot stops meanwhile", 0, func(r *registry, _ githubtest.Code) { r.leave() }, []string{"restarted", "othing was", "/rootbot link"}},
		{"GitHub doesn't say whose it is", 0, func(r *registry, code githubtest.Code) {
			r.gh.Fail("GET /user$", githubtest.Fault{Status: 502})
			r.authorizes(code, "nemo")
		}, []string{"didn't say whose account it is", "othing was"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := registers(t, githubtest.Options{DeviceExpiry: test.expiry})
			code, _ := r.asksForACode(r.nemo)
			if test.fate != nil {
				test.fate(r, code)
			}
			contains(t, "nemo's answer", r.hears(r.nemo, 2), test.says...)
			r.leave()
			r.begin(tidy(work))
			contains(t, "who nemo is", r.asksAbout(r.nemo, "whoami"), "don't know which GitHub login", "/rootbot link")
			refused := r.recorded("refused")
			if len(refused) != 1 || refused[0].Data["tried"] != "/rootbot link" || len(r.recorded("linked")) != 0 {
				t.Errorf("recorded are the refusals %+v", refused)
			}
			if n := len(r.told(r.nemo)); n != 3 || len(r.cards()) != 0 {
				t.Errorf("nemo was told %d times:\n%s", n, r.story())
			}
			r.fine()
		})
	}
}

func TestWhoIsAGuestByTheTimeTheCodeIsTypedIsNotLinked(t *testing.T) {
	t.Parallel()
	r := registers(t, githubtest.Options{})
	code, _ := r.asksForACode(r.nemo)
	r.becomes(r.nemo, slacktest.User{Restricted: true})
	r.authorizes(code, "nemo")
	contains(t, "nemo's answer", r.hears(r.nemo, 2), "Guests may not")
	r.quietly()
	if len(r.recorded("linked")) != 0 || len(r.cards()) != 0 {
		t.Errorf("nemo is linked:\n%s", r.story())
	}
	r.fine()
}

func TestGitHubInTroubleMeanwhileCostsNobodyTheirCode(t *testing.T) {
	t.Parallel()
	r := registers(t, githubtest.Options{})
	code, _ := r.asksForACode(r.nemo)
	r.gh.Fail("POST /login/oauth/access_token", githubtest.Fault{Status: 502, Times: 1})
	r.authorizes(code, "nemo")
	contains(t, "nemo's answer", r.hears(r.nemo, 2), "the GitHub account nemo is yours")
}

func TestWhoAsksTwiceHasOneCodeThatCounts(t *testing.T) {
	t.Parallel()
	r := registers(t, githubtest.Options{})
	first, _ := r.asksForACode(r.nemo)
	r.commands(r.nemo, r.general, "/rootbot", "link")
	// The second code and what became of the first come in any order.
	r.hears(r.nemo, 3)
	said := strings.Join(r.told(r.nemo)[1:], "\n")
	second := r.gh.Codes()[1]
	r.shown = append(r.shown, second.UserCode)
	contains(t, "what nemo is told", said, "newer code", "doesn't count any more", second.UserCode)
	r.authorizes(first, "stray")
	r.authorizes(second, "nemo")
	contains(t, "nemo's answer", r.hears(r.nemo, 4), "the GitHub account nemo is yours")
	for _, token := range r.gh.UserTokens() {
		if token.Login != "nemo" {
			t.Errorf("the void code was still asked about: GitHub gave a token of %s", token.Login)
		}
	}
	r.quietly()
	if n := len(r.told(r.nemo)); n != 4 || len(r.recorded("linked")) != 1 {
		t.Errorf("nemo was told %d times:\n%s", n, r.story())
	}
	r.fine()
}

func TestWhoMayNotLink(t *testing.T) {
	t.Parallel()
	guest := slacktest.User{ID: "U0GUEST", RealName: "Guest", Restricted: true}
	stranger := slacktest.User{ID: "U0ALIEN", RealName: "Alien", TeamID: "T0ELSEWHERE", Stranger: true}
	robot := slacktest.User{ID: "U0ROBOT", RealName: "Robot", Bot: true}
	for _, test := range []struct {
		name   string
		who    slacktest.User
		before func(*registry)
		says   []string
	}{
		{"who is in the settings", slacktest.User{ID: "U0ADA"}, nil, []string{"settings say that you are ada on GitHub", "othing was"}},
		{"a guest", guest, nil, []string{"Guests may not", "Nothing was changed"}},
		{"a stranger", stranger, nil, []string{"not of the workspace", "Nothing was changed"}},
		{"a bot", robot, nil, []string{"Bots may not", "Nothing was changed"}},
		{"anybody, where it isn't switched on", slacktest.User{ID: "U0NEMO"}, func(r *registry) { r.setUp = nil }, []string{"Linking isn't switched on", "Ask in #aws-root-account"}},
		{"anybody, where the App may not", slacktest.User{ID: "U0NEMO"}, func(r *registry) {
			app := r.gh.AddApp(githubtest.App{Slug: "other", PublicKey: lock(), NoDeviceFlow: true})
			r.setUp = func(d *bot.Desk) {
				d.Team.Links, d.Team.Device = d.Store, team.Device{ClientID: app.ClientID, URL: r.gh.URL()}
			}
		}, []string{"gave no code", "othing was"}},
		{"anybody whom Slack doesn't describe", slacktest.User{ID: "U0NEMO"}, func(r *registry) {
			r.Fail("users.info", slacktest.Fault{Error: "internal_error"})
		}, []string{"Slack didn't say who you are", "Nothing was changed"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var before []func(*registry)
			if test.before != nil {
				before = append(before, test.before)
			}
			r := registers(t, githubtest.Options{}, before...)
			who := test.who
			if who.RealName != "" {
				who = r.AddUser(who)
				r.Invite(r.general.ID, who.ID)
			}
			if said := r.commands(who, r.general, "/rootbot", "link"); said != "" {
				t.Errorf("the ack says %q", said)
			}
			contains(t, "the answer", r.hears(who, 1), test.says...)
			r.quietly()
			refused := r.recorded("refused")
			if len(refused) != 1 || refused[0].By != "slack:"+r.TeamID+"/"+who.ID || refused[0].Data["tried"] != "/rootbot link" {
				t.Errorf("recorded are the refusals %+v", refused)
			}
			if n := len(r.gh.Codes()); n != 0 || len(r.told(who)) != 1 {
				t.Errorf("GitHub has given %d codes; told %d times", n, len(r.told(who)))
			}
		})
	}
}

func TestSomebodyOfAnotherWorkspaceMayNotLink(t *testing.T) {
	t.Parallel()
	r := registers(t, githubtest.Options{})
	for _, what := range []string{"link", "unlink"} {
		payload := map[string]any{
			"team_id": "T0ELSEWHERE", "channel_id": r.general.ID, "user_id": r.nemo.ID, "command": "/rootbot", "text": what, "response_url": "http://127.0.0.1:1/", "trigger_id": what,
		}
		if _, err := r.Send(t.Context(), "slash_commands", payload); err != nil {
			t.Fatal(err)
		}
	}
	r.wait("refused twice", func() bool { return len(r.recorded("refused")) == 2 })
	for _, e := range r.recorded("refused") {
		if e.By != "slack:T0ELSEWHERE/U0NEMO" {
			t.Errorf("recorded is the refusal %+v", e)
		}
	}
	if n := len(r.gh.Codes()); n != 0 {
		t.Errorf("GitHub has given %d codes", n)
	}
}

func TestALinkThatIsThereIsNotReplaced(t *testing.T) {
	t.Parallel()
	r := registers(t, githubtest.Options{})
	r.links(r.nemo, "nemo")
	before := len(r.told(r.nemo))
	r.commands(r.nemo, r.general, "/rootbot", "link")
	contains(t, "nemo's answer", r.hears(r.nemo, before+1), "linked the GitHub account nemo", "already", "Nothing was changed", "/rootbot unlink")
	if n := len(r.gh.Codes()); n != 0 {
		t.Errorf("GitHub has given %d codes", n)
	}
}

func TestAMemberRevokesALink(t *testing.T) {
	t.Parallel()
	r := registers(t, githubtest.Options{})
	r.links(r.nemo, "nemo")
	r.quietly()
	announced := r.cards()[0]
	before := len(r.told(r.mallory))
	r.presses(r.mallory, announced, "link-revoke")
	contains(t, "mallory's answer", r.hears(r.mallory, before+1), "not a member", "othing was changed")
	before = len(r.told(r.grace))
	r.presses(r.grace, announced, "link-revoke")
	contains(t, "grace's answer", r.hears(r.grace, before+1), "<@U0NEMO> is not linked to the GitHub account nemo any more: you have revoked the link")
	contains(t, "who nemo is", r.asksAbout(r.nemo, "whoami"), "don't know which GitHub login")
	r.wait("told", func() bool { return strings.Contains(r.again(announced).PlainText(), "grace revoked the link") })
	if n := len(r.again(announced).Buttons()); n != 0 || len(r.recorded("link-revoked")) != 1 {
		t.Errorf("%d buttons:\n%s", n, r.story())
	}
	r.fine()
}

func TestALinkIsForgotten(t *testing.T) {
	t.Parallel()
	r := registers(t, githubtest.Options{})
	contains(t, "nemo's answer", r.asksAbout(r.nemo, "unlink"), "linked no GitHub account", "othing was changed")
	r.links(r.nemo, "nemo")
	r.quietly()
	contains(t, "nemo's answer", r.asksAbout(r.nemo, "unlink"), "forgotten that you are nemo on GitHub", "The record keeps")
	contains(t, "who nemo is", r.asksAbout(r.nemo, "whoami"), "don't know which GitHub login")
	contains(t, "nemo's answer", r.asksAbout(r.nemo, "unlink"), "linked no GitHub account")
	unlinked := r.recorded("unlinked")
	if len(unlinked) != 1 || unlinked[0].By != "slack:"+r.TeamID+"/U0NEMO" || unlinked[0].Data["github"] != "nemo" {
		t.Errorf("recorded are %+v", unlinked)
	}
	// What was forgotten is free to be proved again, by anybody.
	contains(t, "olga's answer", r.links(r.olga, "nemo"), "the GitHub account nemo is yours")
	r.quietly()
	r.fine()
}
