package removeuser_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/removeuser"
)

// A user is told by the full address: whoever has the same local part in
// another domain, or the same address in another case, is somebody else.
func TestNamesakeIsNeverTouched(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, test := range []struct{ gone, stays string }{{leaver, namesake}, {namesake, leaver}} {
			t.Run(mode+", "+test.gone, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, mode)
				w.others[0] = w.user(test.stays)
				walk := w.walkFor(test.gone)
				if report := w.run(walk); !report.OK() {
					t.Errorf("report %+v", report)
				}
				if _, ok := w.iam.User(test.gone); ok {
					t.Errorf("%s is still there", test.gone)
				}
				for _, c := range w.aws.Calls() {
					if strings.Contains(string(c.Params), test.stays) || strings.Contains(c.SessionPolicy, test.stays) {
						t.Errorf("%s is about %s: %s", c.Name(), test.stays, c.Params)
					}
				}
				for _, effect := range walk.Plan().Effects() {
					if strings.Contains(effect, test.stays) {
						t.Errorf("effect %q", effect)
					}
				}
				text, _ := w.github.File(repo, "master", usersFile)
				members, _ := w.github.File(repo, "master", membersFile)
				ref := map[string]string{leaver: `"${aws_iam_user.jo_doe.name}"`, namesake: `"${aws_iam_user.jo_doe_softwire.name}"`}
				if !strings.Contains(text, test.stays) || !strings.Contains(members, ref[test.stays]) {
					t.Errorf("%s isn't in the files any more:\n%s%s", test.stays, text, members)
				}
				if mode == terraformMode && (strings.Contains(text, test.gone) || strings.Contains(members, ref[test.gone])) {
					t.Errorf("%s is in the files still:\n%s%s", test.gone, text, members)
				}
				w.done()
			})
		}
	}
}

// IAM finds users whatever the case of their names.
func TestNameInAnotherCase(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, mode)
			w.iam.DeleteUser(leaver)
			w.github.Commit(repo, "master", map[string]string{usersFile: strings.Replace(usersText, leaver, "Jo.Doe@digital.cabinet-office.gov.uk", 1)}, "Another case")
			w.others = append(w.others, w.iam.AddUser(everything("Jo.Doe@digital.cabinet-office.gov.uk")))
			walk := w.walk()
			_, err := walk.Look(t.Context())
			w.refused(err, ops.Invalid, "No IAM user is called "+leaver+" exactly. It is called Jo.Doe@digital.cabinet-office.gov.uk in IAM.")
			w.done()
		})
	}
	t.Run("who takes the leaver's place before the quarantine", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, iamMode)
		walk := w.walk()
		w.look(walk)
		w.iam.DeleteUser(leaver)
		w.others = append(w.others, w.iam.AddUser(awstest.IAMUser{Name: "Jo.Doe@digital.cabinet-office.gov.uk", AccessKeys: make([]awstest.AccessKey, 1)}))
		if err := walk.Run(t.Context()); err != nil && ops.KindOf(err) == ops.Internal {
			t.Error(err)
		}
		w.done()
	})
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	s := settings(iamMode)
	field := s.Operation(nil, nil, "").Form[0]
	for _, test := range []struct{ name, address, want string }{
		{"as users are named", leaver, ""},
		{"with a plus and a hyphen", "a+b-c=d_e,f@softwire.com", ""},
		{"of 64 characters", strings.Repeat("a", 51) + "@softwire.com", ""},
		{"of 65 characters", strings.Repeat("a", 52) + "@softwire.com", "longer than IAM's 64 characters"},
		{"of very many characters", strings.Repeat("a", 5000), "longer than IAM's 64 characters"},
		{"in upper case", "Jo.Doe@softwire.com", "must be in lower case"},
		{"with a domain in upper case", "jo.doe@Softwire.com", "must be in lower case"},
		{"with an apostrophe", "jo.o'doe@softwire.com", "a character that the name of an IAM user can't have"},
		{"with two @", "jo@doe@softwire.com", "is not an e-mail address"},
		{"with two @ and a domain of ours at the end", "jo@example.org@softwire.com", "is not an e-mail address"},
		{"without a local part", "@softwire.com", "is not an e-mail address"},
		{"without a domain", "jo.doe@", "only addresses at"},
		{"that is a local part alone", "jo.doe", "is not an e-mail address"},
		{"that is empty", "", "is not an e-mail address"},
		{"of a foreign domain", "jo.doe@example.org", "jo.doe@example.org: only addresses at digital.cabinet-office.gov.uk, softwire.com can be removed."},
		{"of a domain below one of ours", "jo.doe@mail.softwire.com", "only addresses at"},
		{"of a domain that ends like one of ours", "jo.doe@notsoftwire.com", "only addresses at"},
		{"of the domain above one of ours", "jo.doe@cabinet-office.gov.uk", "only addresses at"},
		{"with a dot at its end", "jo.doe@softwire.com.", "only addresses at"},
		{"with a Cyrillic о", "jо.doe@softwire.com", "a character that the name of an IAM user can't have"},
		{"with a Cyrillic о in the domain", "jo.doe@sоftwire.com", "a character that the name of an IAM user can't have"},
		{"with the sign for kelvin", "jo.do\u212a@softwire.com", "must be in lower case"},
		{"with a full-width @", "jo.doe＠softwire.com", "is not an e-mail address"},
		{"with a zero-width space", "jo.\u200bdoe@softwire.com", "a character that the name of an IAM user can't have"},
		{"with a space", "jo doe@softwire.com", "a character that the name of an IAM user can't have"},
		{"with a newline at its end", "jo.doe@softwire.com\n", "a character that the name of an IAM user can't have"},
		{"with an asterisk", "jo.*@softwire.com", "a character that the name of an IAM user can't have"},
		{"with a question mark", "jo.d?e@softwire.com", "a character that the name of an IAM user can't have"},
		{"with a slash", "people/jo.doe@softwire.com", "a character that the name of an IAM user can't have"},
		{"with a value to be filled in", "${account}@softwire.com", "a character that the name of an IAM user can't have"},
		{"in angle brackets", "<jo.doe@softwire.com>", "a character that the name of an IAM user can't have"},
		{"as Slack writes it", "<mailto:jo.doe@softwire.com|jo.doe@softwire.com>", "is not an e-mail address"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := field.Check(test.address)
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			case err != nil && len(err.Error()) > 300:
				t.Errorf("%d bytes of words", len(err.Error()))
			}
		})
	}
}

// What a form let through, a plan doesn't.
func TestPlanChecksTheAddressAgain(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "jo.doe", "jo.doe@example.org", "*@softwire.com"} {
		w := newWorld(t, iamMode)
		_, err := w.walkFor(address).Look(t.Context())
		w.refused(err, ops.Invalid, address)
		if calls := w.aws.Calls(); len(calls) > 0 {
			t.Errorf("%q: %d calls of AWS", address, len(calls))
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*removeuser.Settings)
		want   []string // the beginnings of the faults; none: they can work
	}{
		{"the defaults and an installer's roles, domains and repository", func(*removeuser.Settings) {}, nil},
		{"no roles", func(s *removeuser.Settings) { s.LookRole, s.ActRole = "", "" }, []string{"look_role: missing", "act_role: missing"}},
		{"a role that is a name", func(s *removeuser.Settings) { s.ActRole = "rootbot" }, []string{`act_role: "rootbot" is not the ARN of a role`}},
		{"no domains", func(s *removeuser.Settings) { s.Domains = nil }, []string{"domains: missing"}},
		{"a domain in upper case", func(s *removeuser.Settings) { s.Domains = []string{"Softwire.com"} }, []string{`domains: "Softwire.com"`}},
		{"a domain with an @", func(s *removeuser.Settings) { s.Domains = []string{"@softwire.com"} }, []string{`domains: "@softwire.com"`}},
		{"no regions, so that CloudTrail is never asked", func(s *removeuser.Settings) { s.Regions = nil }, []string{"regions: "}},
		{"a region by its city", func(s *removeuser.Settings) { s.Regions = []string{"London"} }, []string{`regions: "London"`}},
		{"a pattern that is none", func(s *removeuser.Settings) { s.Protected = []string{"ok-*", "[a"} }, []string{`protected: "[a" is not a pattern`}},
		{"no grace", func(s *removeuser.Settings) { s.Grace = 0 }, nil},
		{"a grace below zero", func(s *removeuser.Settings) { s.Grace = -1 }, []string{"grace: "}},
		{"looking at the pull request all the time", func(s *removeuser.Settings) { s.Poll = 0 }, []string{"poll: "}},
		{"users of nobody", func(s *removeuser.Settings) { s.Users = "" }, []string{`users: "" is neither terraform nor iam`}},
		{"no repository", func(s *removeuser.Settings) { s.Repository = "" }, []string{"repository: "}},
		{"a repository by its address", func(s *removeuser.Settings) { s.Repository = "https://github.com/a/b" }, []string{"repository: "}},
		{"a repository that nobody needs", func(s *removeuser.Settings) { s.Users, s.Repository = iamMode, "" }, nil},
		{"no branch", func(s *removeuser.Settings) { s.Branch = "" }, []string{"branch: missing"}},
		{"no file of users", func(s *removeuser.Settings) { s.UsersFile = "" }, []string{"users_file: "}},
		{"no file of members", func(s *removeuser.Settings) { s.MembersFile = "" }, []string{"members_file: "}},
		{"everything at once", func(s *removeuser.Settings) {
			*s = removeuser.Settings{Regions: []string{"x"}, Protected: []string{"[a"}, Grace: -1, Users: "x"}
		}, []string{"look_role: ", "act_role: ", "domains: ", "regions: ", "protected: ", "grace: ", "poll: ", "users: "}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := settings(terraformMode)
			test.change(s)
			var got []string
			for i, f := range s.Check() {
				line := f.Key + ": " + f.Problem
				if i < len(test.want) && strings.HasPrefix(line, test.want[i]) {
					line = test.want[i]
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
	if s := removeuser.Defaults(); s.Name() != s.Operation(nil, nil, "").Name {
		t.Error("the settings have another name than the operation")
	}
}
