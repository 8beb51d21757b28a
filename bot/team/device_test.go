package team_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

const (
	codes = "POST /login/device/code"
	polls = "POST /login/oauth/access_token"
	whose = "GET /user$"
)

// publicKey is nobody's, and takes no time to make.
var publicKey = func() string {
	n := new(big.Int).Lsh(big.NewInt(1), 2047)
	der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537})
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}()

// app is a GitHub App that knows people by the device flow.
func app(s *street) githubtest.App {
	return s.gh.AddApp(githubtest.App{PublicKey: publicKey})
}

// proof is what came of a code.
type proof struct {
	team.Account
	err error
}

// begun is somebody who has been given a code, and has all of GitHub's time.
func begun(t *testing.T, s *street, id string) (*team.Code, <-chan proof, context.CancelFunc) {
	t.Helper()
	m := s.team(t, id)
	code, err := m.Device.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan proof, 1)
	go func() {
		account, err := code.Proof(ctx, m.GitHub)
		waiting <- proof{account, err}
	}()
	return code, waiting, cancel
}

func TestACodeIsShownWithWhereToTypeItAndUntilWhen(t *testing.T) {
	t.Parallel()
	s := newStreet(t, githubtest.Options{})
	id := app(s).ClientID
	s.bubble(t, func(t *testing.T) {
		m := s.team(t, id)
		code, err := m.Device.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := []githubtest.Code{{UserCode: code.User, ClientID: id, Expires: code.Expires}}
		if diff := cmp.Diff(want, s.gh.Codes()); diff != "" || len(code.User) != 9 {
			t.Errorf("the code is %q; at GitHub (-want +got):\n%s", code.User, diff)
		}
		if code.Where != s.gh.URL()+"login/device" || !code.Expires.Equal(time.Now().Add(15*time.Minute)) {
			t.Errorf("it is to be typed at %s until %v", code.Where, code.Expires)
		}
		other, err := m.Device.Begin(t.Context())
		if err != nil || other.User == code.User {
			t.Errorf("a second one: %+v, %v", other, err)
		}
	})
	if problems := s.gh.Problems(); problems != nil {
		t.Error(problems)
	}
}

func TestAClientWithoutATransportOfItsOwnGetsACode(t *testing.T) {
	t.Parallel()
	gh := world(t)
	id := gh.AddApp(githubtest.App{PublicKey: publicKey}).ClientID
	for name, client := range map[string]*http.Client{"none": nil, "the default one": http.DefaultClient, "an empty one": {}} {
		code, err := team.Device{ClientID: id, URL: gh.URL(), HTTP: client}.Begin(t.Context())
		if err != nil || code.User == "" {
			t.Errorf("%s: %+v, %v", name, code, err)
		}
	}
}

func TestAGitHubThatGivesNoCodeLinksNobody(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		world func(*githubtest.Server)
		id    string
		cause string
	}{
		{name: "the client ID is wrong", id: "Iv23wrong", cause: "Not Found"},
		{name: "the device flow isn't enabled for the App", id: "Iv23off", cause: "device_flow_disabled"},
		{name: "GitHub is in trouble", world: func(gh *githubtest.Server) { gh.Fail(codes, githubtest.Fault{Status: 500}) }, cause: "500"},
		{name: "GitHub asks to slow down", world: func(gh *githubtest.Server) { gh.Fail(codes, githubtest.Fault{Secondary: true}) }, cause: "429"},
		{name: "half an answer comes", world: func(gh *githubtest.Server) { gh.Fail(codes, githubtest.Fault{Cut: true}) }, cause: "EOF"},
		{name: "GitHub answers with HTML", world: func(gh *githubtest.Server) {
			gh.Fail(codes, githubtest.Fault{Status: 200, Body: "<html>proxy</html>"})
		}, cause: "invalid character"},
		{name: "GitHub says with status 200 that it is wrong", world: func(gh *githubtest.Server) {
			gh.Fail(codes, githubtest.Fault{Status: 200, Body: `{"error":"device_flow_disabled"}`})
		}, cause: "is the device flow enabled"},
		{name: "GitHub gives a code that nobody can type", world: func(gh *githubtest.Server) {
			gh.Fail(codes, githubtest.Fault{Status: 200, Body: `{"device_code":"d3v1c3"}`})
		}, cause: "is the device flow enabled"},
		{name: "GitHub gives a code that nobody can ask about", world: func(gh *githubtest.Server) {
			gh.Fail(codes, githubtest.Fault{Status: 200, Body: `{"user_code":"WDJB-MJHT"}`})
		}, cause: "is the device flow enabled"},
		{name: "GitHub answers null", world: func(gh *githubtest.Server) {
			gh.Fail(codes, githubtest.Fault{Status: 200, Body: `null`})
		}, cause: "panic"},
		{name: "GitHub is gone", world: func(gh *githubtest.Server) { gh.Close() }, cause: "connect"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStreet(t, githubtest.Options{})
			id := app(s).ClientID
			s.gh.AddApp(githubtest.App{ClientID: "Iv23off", NoDeviceFlow: true, PublicKey: publicKey})
			if test.id != "" {
				id = test.id
			}
			if test.world != nil {
				test.world(s.gh)
			}
			s.bubble(t, func(t *testing.T) {
				code, err := s.team(t, id).Device.Begin(t.Context())
				says(t, err, ops.Unavailable, "gave no code", "Try again")
				if code != nil {
					t.Errorf("beside the error: %+v", code)
				}
				if err != nil && !strings.Contains(err.Error(), test.cause) {
					t.Errorf("the operator reads %q, which doesn't say %q", err, test.cause)
				}
			})
		})
	}
}

func TestSomebodyProvesWhichAccountIsTheirs(t *testing.T) {
	t.Parallel()
	trouble := func(f githubtest.Fault) func(*githubtest.Server) {
		return func(gh *githubtest.Server) { gh.Fail(polls, f) }
	}
	for _, test := range []struct {
		name    string
		options githubtest.Options
		world   func(*githubtest.Server) // before the code was typed
		after   time.Duration            // it is typed then
		polls   []time.Duration          // when GitHub is asked whether it was
	}{
		{name: "who types the code at once", polls: []time.Duration{5 * time.Second}},
		{name: "who takes their time", after: 17 * time.Second, polls: []time.Duration{5 * time.Second, 10 * time.Second, 15 * time.Second, 20 * time.Second}},
		{name: "who is asked as slowly as GitHub wants", options: githubtest.Options{DeviceInterval: 30 * time.Second}, after: 31 * time.Second, polls: []time.Duration{30 * time.Second, time.Minute}},
		{
			name: "who is asked more slowly once GitHub wants it", world: trouble(githubtest.Fault{Status: 200, Body: `{"error":"slow_down","interval":10}`, Times: 2}),
			polls: []time.Duration{5 * time.Second, 15 * time.Second, 30 * time.Second},
		},
		{name: "though GitHub is in trouble for a while", world: trouble(githubtest.Fault{Status: 500, Times: 3}), polls: []time.Duration{5 * time.Second, 11 * time.Second, 18 * time.Second, 26 * time.Second}},
		{name: "though GitHub's limit stands in the way once", world: trouble(githubtest.Fault{Secondary: true, RetryAfter: time.Minute, Times: 1}), polls: []time.Duration{5 * time.Second, 11 * time.Second}},
		{name: "though GitHub answers with HTML once", world: trouble(githubtest.Fault{Status: 200, Body: "<html>proxy</html>", Times: 1}), polls: []time.Duration{5 * time.Second, 11 * time.Second}},
		{name: "though GitHub answers with nothing once", world: trouble(githubtest.Fault{Status: 200, Body: "{}", Times: 1}), polls: []time.Duration{5 * time.Second, 11 * time.Second}},
		{name: "though the connection is cut once, before it was typed", world: trouble(githubtest.Fault{Cut: true, Times: 1}), after: 6 * time.Second, polls: []time.Duration{5 * time.Second, 11 * time.Second}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStreet(t, test.options)
			id := app(s).ClientID
			if test.world != nil {
				test.world(s.gh)
			}
			s.bubble(t, func(t *testing.T) {
				start := time.Now()
				code, waiting, cancel := begun(t, s, id)
				defer cancel()
				if test.after > 0 {
					<-time.After(test.after)
					if len(waiting) > 0 {
						t.Fatalf("before the code was typed: %+v", <-waiting)
					}
				}
				s.do(func() {
					if err := s.gh.Authorize(code.User, "Ada-Lovelace"); err != nil {
						t.Error(err)
					}
				})
				got := <-waiting
				if want := (team.Account{ID: s.gh.ID("ada-lovelace"), Login: "Ada-Lovelace"}); got.err != nil || got.Account != want {
					t.Errorf("proved is %+v (%v); want %+v", got, got.err, want)
				}
				var asked []time.Duration
				for _, c := range s.gh.Calls() {
					if c.Path == "/login/oauth/access_token" {
						asked = append(asked, c.At.Sub(start))
					}
				}
				if diff := cmp.Diff(test.polls, asked); diff != "" {
					t.Errorf("GitHub was asked (-want +got):\n%s", diff)
				}
			})
			s.onceUsed(t, "Ada-Lovelace")
			if problems := s.gh.Problems(); problems != nil {
				t.Error(problems)
			}
		})
	}
}

// onceUsed checks that the person's token was used to ask whose it is and for
// nothing else, and that nobody else was used for that.
func (s *street) onceUsed(t *testing.T, login string) {
	t.Helper()
	given := s.gh.UserTokens()
	if len(given) != 1 || given[0].Login != login {
		t.Fatalf("tokens were given: %+v", given)
	}
	used := s.gh.CallsWith(given[0].Text)
	if len(used) != 1 || used[0].Method != http.MethodGet || used[0].Path != "/user" || used[0].By != login {
		t.Errorf("the token was used for %+v", used)
	}
	for _, c := range s.gh.Calls() {
		if c.By != "" && c.By != login {
			t.Errorf("%s was asked in the name of %s", c.Path, c.By)
		}
	}
}

func TestACodeThatProvesNothing(t *testing.T) {
	t.Parallel()
	const unsaid = "didn't say whose account it is"
	says200 := func(code string) func(*githubtest.Server, *team.Code) {
		return func(gh *githubtest.Server, _ *team.Code) {
			gh.Fail(polls, githubtest.Fault{Status: 200, Body: `{"error":"` + code + `","error_description":"No."}`})
		}
	}
	authorized := func(f githubtest.Fault) func(*githubtest.Server, *team.Code) {
		return func(gh *githubtest.Server, code *team.Code) {
			gh.Authorize(code.User, "ada-lovelace")
			gh.Fail(whose, f)
		}
	}
	for _, test := range []struct {
		name  string
		world func(gh *githubtest.Server, code *team.Code) // once the code is out
		kind  ops.Kind
		says  []string
		cause string
		after time.Duration // it is given up then; zero: at the first answer
	}{
		{name: "it is cancelled at GitHub", world: func(gh *githubtest.Server, code *team.Code) { gh.Deny(code.User) }, kind: ops.Refused, says: []string{"cancelled at GitHub"}},
		{name: "nobody types it in time", kind: ops.Refused, says: []string{"Nobody typed the code", "`/rootbot link`"}, after: 15 * time.Minute},
		{name: "GitHub says that nobody typed it in time", world: says200("expired_token"), kind: ops.Refused, says: []string{"Nobody typed the code", "`/rootbot link`"}},
		{name: "GitHub is in trouble until its time is up", world: func(gh *githubtest.Server, _ *team.Code) {
			gh.Fail(polls, githubtest.Fault{Status: 503})
		}, kind: ops.Refused, says: []string{"Nobody typed the code"}, after: 15 * time.Minute},
		{name: "GitHub is gone until its time is up", world: func(gh *githubtest.Server, _ *team.Code) { gh.Close() }, kind: ops.Refused, says: []string{"Nobody typed the code"}, after: 15 * time.Minute},
		{name: "GitHub asks to slow down until its time is up", world: says200("slow_down"), kind: ops.Refused, says: []string{"Nobody typed the code"}, after: 15 * time.Minute},
		{name: "the device flow is switched off meanwhile", world: says200("device_flow_disabled"), kind: ops.Unavailable, says: []string{unsaid, "whoever runs the bot"}, cause: "device_flow_disabled"},
		{name: "the App is gone meanwhile", world: says200("incorrect_client_credentials"), kind: ops.Unavailable, says: []string{unsaid}, cause: "incorrect_client_credentials"},
		{name: "GitHub doesn't know the code", world: says200("incorrect_device_code"), kind: ops.Unavailable, says: []string{unsaid}, cause: "incorrect_device_code"},
		{name: "GitHub says what nobody has heard of", world: says200("teapot"), kind: ops.Unavailable, says: []string{unsaid}, cause: "teapot"},
		{name: "the connection is cut after GitHub gave the token", world: func(gh *githubtest.Server, code *team.Code) {
			gh.Authorize(code.User, "ada-lovelace")
			gh.Fail(polls, githubtest.Fault{Cut: true, Times: 1})
		}, kind: ops.Unavailable, says: []string{unsaid}, cause: "incorrect_device_code", after: 11 * time.Second},
		{name: "GitHub doesn't take its own token", world: authorized(githubtest.Fault{Status: 401}), kind: ops.Unavailable, says: []string{unsaid, "Try again"}, cause: "401"},
		{name: "GitHub is in trouble when asked whose account it is", world: authorized(githubtest.Fault{Status: 502}), kind: ops.Unavailable, says: []string{unsaid, "Try again"}, cause: "502", after: 6 * time.Second},
		{name: "half of whose account it is comes", world: authorized(githubtest.Fault{Cut: true}), kind: ops.Unavailable, says: []string{unsaid}, cause: "EOF", after: 6 * time.Second},
		{name: "GitHub says with HTML whose account it is", world: authorized(githubtest.Fault{Status: 200, Body: "<html>proxy</html>"}), kind: ops.Unavailable, says: []string{unsaid}, cause: "invalid character", after: 6 * time.Second},
		{name: "GitHub says that it is nobody's", world: authorized(githubtest.Fault{Status: 200, Body: `{}`}), kind: ops.Unavailable, says: []string{unsaid}},
		{name: "GitHub says whose it is and not its number", world: authorized(githubtest.Fault{Status: 200, Body: `{"login":"ada-lovelace"}`}), kind: ops.Unavailable, says: []string{unsaid}},
		{name: "GitHub says its number and not whose it is", world: authorized(githubtest.Fault{Status: 200, Body: `{"id":7}`}), kind: ops.Unavailable, says: []string{unsaid}},
		{name: "GitHub names somebody who can't be", world: authorized(githubtest.Fault{Status: 200, Body: `{"id":7,"login":"../memberships/ada"}`}), kind: ops.Unavailable, says: []string{unsaid}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStreet(t, githubtest.Options{})
			id := app(s).ClientID
			s.bubble(t, func(t *testing.T) {
				start := time.Now()
				code, waiting, cancel := begun(t, s, id)
				defer cancel()
				if test.world != nil {
					s.do(func() { test.world(s.gh, code) })
				}
				got := <-waiting
				says(t, got.err, test.kind, test.says...)
				s.silent(t, got.err)
				if got.Account != (team.Account{}) {
					t.Errorf("beside the error: %+v", got.Account)
				}
				if got.err != nil && !strings.Contains(got.err.Error(), test.cause) {
					t.Errorf("the operator reads %q, which doesn't say %q", got.err, test.cause)
				}
				after := test.after
				if after == 0 {
					after = 5 * time.Second
				}
				if waited := time.Since(start); waited != after {
					t.Errorf("it was given up after %v, want %v", waited, after)
				}
			})
			for _, given := range s.gh.UserTokens() {
				for _, used := range s.gh.CallsWith(given.Text) {
					if used.Method != "GET" || used.Path != "/user" {
						t.Errorf("the token was used for %+v", used)
					}
				}
			}
		})
	}
}

func TestWhoStopsWaitingForACodeIsLinkedToNothing(t *testing.T) {
	t.Parallel()
	s := newStreet(t, githubtest.Options{})
	id := app(s).ClientID
	s.bubble(t, func(t *testing.T) {
		start := time.Now()
		code, waiting, cancel := begun(t, s, id)
		<-time.After(7 * time.Second)
		cancel()
		got := <-waiting
		if !errors.Is(got.err, context.Canceled) || got.Account != (team.Account{}) {
			t.Errorf("proved is %+v", got)
		}
		if waited := time.Since(start); waited != 7*time.Second {
			t.Errorf("it took %v to stop", waited)
		}
		s.do(func() { s.gh.Authorize(code.User, "ada-lovelace") })
		<-time.After(time.Minute)
	})
	if n, given := s.gh.Count(polls), s.gh.UserTokens(); n != 1 || len(given) > 0 {
		t.Errorf("GitHub was asked %d times, and gave %+v", n, given)
	}
}

func TestACodeIsOfWhoeverTypedItWhateverTheyAreCalledThen(t *testing.T) {
	t.Parallel()
	s := newStreet(t, githubtest.Options{})
	id := app(s).ClientID
	s.gh.AddUser("stranger")
	s.bubble(t, func(t *testing.T) {
		code, waiting, cancel := begun(t, s, id)
		defer cancel()
		s.do(func() {
			s.gh.Authorize(code.User, "stranger")
			s.gh.RenameUser("stranger", "friend")
			s.gh.AddMember(slug, "stranger")
		})
		if got := <-waiting; got.err != nil || got.Account != (team.Account{ID: s.gh.ID("friend"), Login: "friend"}) {
			t.Errorf("proved is %+v", got)
		}
	})
}

func TestNoKeyIsLeftWhereAProofIsKept(t *testing.T) {
	t.Parallel()
	s := newStreet(t, githubtest.Options{})
	id := app(s).ClientID
	db, path := database(t)
	var account team.Account
	var code *team.Code
	s.bubble(t, func(t *testing.T) {
		var waiting <-chan proof
		var cancel context.CancelFunc
		code, waiting, cancel = begun(t, s, id)
		defer cancel()
		s.do(func() { s.gh.Authorize(code.User, "owl") })
		got := <-waiting
		if got.err != nil {
			t.Fatal(got.err)
		}
		account = got.Account
	})
	if err := db.AddLink(t.Context(), store.Link{Workspace: "T1", User: "U7", GitHub: account.ID, Login: account.Login, At: proved, How: team.HowDevice}, request.Change{
		Events: []request.Event{{At: proved, Kind: "linked", By: account.Login}},
	}); err != nil {
		t.Fatal(err)
	}
	found := func(text string) bool { return inFile(t, path, text) }
	if !found("device flow") || !found(account.Login) {
		t.Fatal("the link isn't where it is looked for")
	}
	for _, key := range append([]string{"ghu_", "ghr_", code.User}, s.keys...) {
		if found(key) {
			t.Errorf("%.4s… is in the database", key)
		}
	}
	if len(s.keys) != 3 {
		t.Errorf("GitHub gave out %d keys, want a device code, a token and one to refresh it", len(s.keys))
	}
	s.onceUsed(t, "owl")
}
