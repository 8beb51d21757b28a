package deleteaccount_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

func TestAccountsThatAreNeverClosed(t *testing.T) {
	t.Parallel()
	tagged := func(w *world) {
		w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) { a.Tags = map[string]string{"keep": "yes", "owner": "Ponds"} })
	}
	for _, test := range []struct {
		name    string
		arrange func(*world)
		id, as  string // empty: the sinking account
		want    string // empty: it may be closed
	}{
		{"the management account", func(*world) {}, management, "management", "management (" + management + ") is the management account. It can't be closed while the organisation lives."},
		{"a protected ID", func(w *world) { w.settings.Protected.Accounts = []string{rooted, sinking} }, "", "", sinkingText + " is protected by the bot's settings."},
		{"not another's protected ID", func(w *world) { w.settings.Protected.Accounts = []string{rooted} }, "", "", ""},
		{"in a protected unit", func(w *world) { w.settings.Protected.OUs = []string{w.ponds} }, "", "", "is in the organizational unit Ponds (${ponds}), which is protected by the bot's settings."},
		{"in a unit inside a protected one", func(w *world) { w.settings.Protected.OUs = []string{w.workloads} }, "", "", "is in the organizational unit Workloads (${workloads}), which is protected by the bot's settings."},
		{"disabled by hand, and from a protected unit by an earlier request's tag", func(w *world) {
			w.settings.Protected.OUs = []string{w.workloads}
			w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) {
				a.Parent, a.Tags = w.disabled, map[string]string{"closure-from": w.ponds}
			})
		}, "", "", sinkingText + " came from the organizational unit Workloads (${workloads}), which is protected by the bot's settings."},
		{"not with the tag of a unit that is gone", func(w *world) {
			w.settings.Protected.OUs = []string{w.ponds}
			w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) {
				a.Parent, a.Tags = w.disabled, map[string]string{"closure-from": "ou-abcd-11111111"}
			})
		}, "", "", ""},
		{"not beside a protected unit", func(w *world) { w.settings.Protected.OUs = []string{w.o.AddOU("Lakes", w.workloads)} }, "", "", ""},
		{"a protected tag", func(w *world) { tagged(w); w.settings.Protected.Tags = map[string]string{"x": "y", "keep": "yes"} }, "", "", sinkingText + " is protected by its tag keep=yes."},
		{"not a protected tag with another value", func(w *world) { tagged(w); w.settings.Protected.Tags = map[string]string{"keep": "no", "owner": ""} }, "", "", ""},
		{"a protected tag in another case", func(w *world) { tagged(w); w.settings.Protected.Tags = map[string]string{"Keep": " YES"} }, "", "", sinkingText + " is protected by its tag keep=yes."},
		{"a delegated administrator", func(*world) {}, auditor, "security", "security (" + auditor + ") is a delegated administrator of guardduty.amazonaws.com, securityhub.amazonaws.com. Deregister it first."},
		{"not a former delegated administrator", func(w *world) { w.o.DeregisterDelegatedAdministrator(auditor) }, auditor, "security", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			test.arrange(w)
			walk := w.walk()
			if test.id != "" {
				walk = w.walkFor(test.id, test.as)
			}
			_, err := walk.Look(t.Context())
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
			} else {
				w.refused(err, ops.Refused, strings.NewReplacer("${ponds}", w.ponds, "${workloads}", w.workloads).Replace(test.want))
			}
			if n := len(w.aws.Problems()); n > 0 {
				t.Errorf("problems %q", w.aws.Problems())
			}
			w.untouched()
		})
	}
}

// Somebody else's closing, between the plan and the run, is not taken for ours.
func TestClosedBySomebodyElseBeforeTheRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	walk := w.walk()
	shown := w.look(walk)
	w.o.SetState(sinking, "PENDING_CLOSURE", "")
	_, err := w.again(walk, shown)
	w.refused(err, ops.Refused, "is being closed already")
	w.untouched()
}

func TestTheNameMustBeTypedExactly(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, typed string }{
		{"in another case", "Pond-monitoring-dev"},
		{"with a space behind it", sinkingName + " "},
		{"with a space in it", "pond-monitoring- dev"},
		{"with a space that can't be seen", "pond-monitoring-\u200bdev"},
		{"with a Cyrillic о", "p\u043end-monitoring-dev"},
		{"with another hyphen", "pond\u2010monitoring-dev"},
		{"with an accent", "po\u0301nd-monitoring-dev"},
		{"a neighbour's", "pond-monitoring-prod"},
		{"a part of it", "pond-monitoring"},
		{"the ID", sinking},
		{"nothing", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			const want = "is not exactly the name of account " + sinking + ". Case and spaces count."
			_, err := w.walkFor(sinking, test.typed).Look(t.Context())
			w.refused(err, ops.Invalid, "What was typed "+want)
			if said := ops.Words(err, request); strings.Contains(said, sinkingName) {
				t.Errorf("the right name is given away: %s", said)
			}
			// In the form it is told as soon as the accounts have been listed.
			card := w.operation()
			inputs := w.walkFor(sinking, test.typed).Request.Inputs
			if wrong := card.Match(inputs); len(wrong) > 0 {
				t.Errorf("wrong before anything is known: %v", wrong)
			}
			if _, err := w.search(card, "pond"); err != nil {
				t.Fatal(err)
			}
			if wrong := card.Match(inputs); !strings.Contains(wrong["name"], want) || strings.Contains(wrong["name"], sinkingName) {
				t.Errorf("wrong %v", wrong)
			}
			if wrong := card.Match(w.walk().Request.Inputs); len(wrong) > 0 {
				t.Errorf("the right name is wrong: %v", wrong)
			}
			if wrong := card.Match(w.walkFor("999999999999", test.typed).Request.Inputs); len(wrong) > 0 {
				t.Errorf("of an account that isn't known: %v", wrong)
			}
			w.untouched()
		})
	}
}

func TestThereIsNoSuchAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.walkFor("999999999999", sinkingName).Look(t.Context())
	w.refused(err, ops.Invalid, "There is no account 999999999999 in the organisation.")
	for _, id := range []string{"", "22222222222", sinkingName, "ou-abcd-11111111", sinking + "\n", "２２２２２２２２２２２２"} {
		_, err := w.walkFor(id, sinkingName).Look(t.Context())
		w.refused(err, ops.Invalid, "choose one from the list")
		if card := w.operation(); card.Form[0].Check(id) == nil {
			t.Errorf("%q passes the form", id)
		}
	}
	w.untouched()
}

// Terraform would make a closed account anew, or fail for ever.
func TestAccountsThatTerraformStillDefines(t *testing.T) {
	t.Parallel()
	const lines = "resource \"aws_organizations_account\" \"pond\" {\n  # the pond\n"
	for _, test := range []struct {
		name    string
		files   map[string]string
		paths   []string
		branch  string
		refused string // the end of the link; empty: it isn't there
	}{
		{"by name", map[string]string{accounts: lines + "  name = \"" + sinkingName + "\"\n}\n"}, nil, "", "/blob/main/" + accounts + "#L3"},
		{"by e-mail", map[string]string{accounts: lines + "\n  email=\"" + sinkingEmail + "\"}\n"}, nil, "", "/blob/main/" + accounts + "#L4"},
		{"by ID", map[string]string{accounts: "import {\r\n  id = \"" + sinking + "\"\r\n}\r\n"}, nil, "", "/blob/main/" + accounts + "#L2"},
		{"in another file that counts", map[string]string{"management-account/terraform/organizations-accounts.tf": "\"" + sinkingName + "\""}, nil, "", "/blob/main/management-account/terraform/organizations-accounts.tf#L1"},
		{"in the second pattern's file", map[string]string{"accounts.json": "{\"a\":\"" + sinking + "\"}"}, []string{"terraform/*.tf", "accounts.json"}, "", "/blob/main/accounts.json#L1"},
		{"on the branch that counts", map[string]string{accounts: "\"" + sinkingName + "\""}, nil, "live", "/blob/live/" + accounts + "#L1"},
		{"not as a part of another name", map[string]string{accounts: "name = \"" + sinkingName + "-2\"\nname = \"old-" + sinkingName + "\"\n"}, nil, "", ""},
		{"not without quotes", map[string]string{accounts: "# " + sinkingName + " was here, " + sinking + "\n"}, nil, "", ""},
		{"not in another file", map[string]string{"terraform/organizations-policies.tf": "\"" + sinkingName + "\"", "README.md": "\"" + sinking + "\""}, nil, "", ""},
		{"not in a folder below", map[string]string{"management-account/terraform/old/organizations-accounts.tf": "\"" + sinkingName + "\""}, nil, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if test.paths != nil {
				w.settings.Paths = test.paths
			}
			w.settings.Branch = test.branch
			if test.branch != "" {
				w.github.AddBranch(repo, test.branch)
			}
			w.github.Commit(repo, map[bool]string{true: "main", false: test.branch}[test.branch == ""], test.files, "Accounts")
			_, err := w.walk().Look(t.Context())
			if test.refused == "" {
				if err != nil {
					t.Error(err)
				}
			} else {
				w.refused(err, ops.Refused, "Account "+sinkingText+" is still defined in "+repo, "remove it there first", "https://github.com/"+repo+test.refused+" ")
			}
			w.untouched()
		})
	}
	t.Run("but only where a repository is set", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.settings.Repository, w.settings.Paths = "", nil
		w.look(w.walk())
		if n := w.github.Count(""); n > 0 {
			t.Errorf("%d calls of GitHub", n)
		}
		w.untouched()
	})
}

// What can't be read may define it.
func TestTerraformCannotBeRead(t *testing.T) {
	t.Parallel()
	const tree = "/repos/ministryofjustice/aws-root-account/git/trees"
	for _, test := range []struct {
		name string
		ruin func(*world)
		want string
	}{
		{"GitHub doesn't let the bot in", func(w *world) { w.token = "github_pat_other" }, "GitHub doesn't accept the bot's credentials (401)."},
		{"the repository can't be seen", func(w *world) { w.github.Fail("/repos", githubtest.Fault{Status: http.StatusNotFound}) }, "GitHub answered 404 to GET /repos/" + repo},
		{"there is no such branch", func(w *world) { w.settings.Branch = "gone" }, "GitHub answered 404"},
		{"the files can't be listed", func(w *world) { w.github.Fail(tree, githubtest.Fault{Status: http.StatusBadGateway}) }, "GitHub answered 502"},
		{"the list is cut off", func(w *world) { w.github.Fail(tree, githubtest.Fault{Cut: true}) }, "GitHub could not be reached."},
		{"the repository is empty", func(w *world) {
			w.github.Fail(tree, githubtest.Fault{Status: http.StatusConflict, Message: "Git Repository is empty."})
		}, "GitHub answered 409"},
		{"the list isn't whole", func(w *world) {
			w.github.Fail(tree, githubtest.Fault{Status: http.StatusOK, Body: `{"sha":"a","truncated":true,"tree":[]}`})
		}, "It has so many files that GitHub doesn't list them all."},
		{"no file is like the paths", func(w *world) { w.settings.Paths = []string{"accounts/*.tf", "accounts.json"} }, "No file in it is like accounts/*.tf or accounts.json"},
		{"a file can't be read", func(w *world) {
			w.github.Fail("/repos/*/*/git/blobs", githubtest.Fault{Status: http.StatusInternalServerError})
		}, "GitHub answered 500"},
		{"the limit is used up", func(w *world) { w.github.Fail("/repos/*/*/git/blobs", githubtest.Fault{RateLimited: true}) }, "GitHub's rate limit"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			test.ruin(w)
			_, err := w.walk().Look(t.Context())
			w.refused(err, ops.Unavailable, "It can't be told whether "+repo+" still defines account "+sinkingText+".", test.want)
			w.untouched()
		})
	}
}

// A name is compared as it was typed: two accounts may differ by a space at its end.
func TestANameIsComparedAsItWasTyped(t *testing.T) {
	t.Parallel()
	for name, typed := range map[string]string{"pond-old ": "pond-old", "pond-old": "pond-old ", " pond": "pond"} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			const id = "666666666666"
			w.add(id, name, w.ponds, nil)
			for _, text := range []string{name, typed} {
				inputs := w.walkFor(id, text).Request.Inputs
				inputs, wrong := w.operation().Fill(inputs)
				if len(wrong) > 0 {
					t.Fatalf("the form is wrong: %v", wrong)
				}
				plan, err := w.walkFor(id, inputs["name"][0]).Look(t.Context())
				if text != name {
					w.refused(err, ops.Invalid, "What was typed is not exactly the name of account "+id+".")
				} else if err != nil || plan.Target != name {
					t.Errorf("the plan is about %q, %v", plan.Target, err)
				}
			}
			w.untouched()
		})
	}
}

// The card is what the form and the desk go by.
func TestCard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	card := w.operation()
	if err := ops.Validate([]ops.Operation{card}); err != nil {
		t.Error(err)
	}
	if card.Name != "delete-account" || card.Command != "/aws-delete-account" || card.Approval.Count != 2 || !card.Dangerous || card.Undo != "restore" || !slices.Equal(card.Counts, []string{"CloseAccount"}) {
		t.Errorf("card %+v", card)
	}
	one, other := w.walk().Request, w.walkFor(neighbour, sinkingName).Request
	if card.Lock(one) == card.Lock(other) || card.Lock(one) == "" {
		t.Errorf("locks %q and %q", card.Lock(one), card.Lock(other))
	}
	if _, wrong := card.Fill(one.Inputs); len(wrong) > 0 {
		t.Errorf("a whole form is wrong: %v", wrong)
	}
	for _, field := range card.Form {
		inputs := ops.Inputs{}
		for name, values := range one.Inputs {
			if name != field.Name {
				inputs[name] = values
			}
		}
		if _, wrong := card.Fill(inputs); wrong[field.Name] == "" {
			t.Errorf("%s may be left out", field.Name)
		}
	}
	for n := range card.Form[len(card.Form)-1].Agree {
		inputs := w.walk().Request.Inputs
		inputs["confirmed"] = slices.Delete(slices.Clone(inputs["confirmed"]), n, n+1)
		if _, wrong := card.Fill(inputs); wrong["confirmed"] == "" {
			t.Errorf("statement %d need not be agreed to", n)
		}
	}
	// The card is read where nothing can be reached.
	if bare := w.settings.Operation(nil, nil, ""); bare.Access != card.Access {
		t.Error("the card without clients is another one")
	}
	if err := card.Check(w.look(w.walk())); err != nil {
		t.Error(err)
	}
}
