package removeuser_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/opstest"
	"github.com/aws-root-account/rootbot/ops/removeuser"
)

// A user is told by the full address: another one with the same local part, in
// another domain, is another person.
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

// capitals is the leaver's name as IAM may have it.
const capitals = "Jo.Doe@Digital.cabinet-office.gov.uk"

// IAM finds users whatever the case of their names, and compares the resources of
// policies with it: everything goes by the name as IAM has it.
func TestNameInAnotherCase(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, inIAM, typed, inFile string
		page                       int // names on a page of IAM's list; 0: all
	}{
		{"IAM has capitals, and it is typed in lower case", capitals, leaver, capitals, 0},
		{"IAM has capitals, and Terraform's file hasn't", capitals, capitals, leaver, 0},
		{"IAM has lower case, and it is typed in capitals", leaver, strings.ToUpper(leaver), leaver, 0},
		{"three spellings", capitals, strings.ToUpper(leaver), leaver, 0},
		{"it stands on the last page of many", capitals, leaver, leaver, 1},
	} {
		for _, mode := range opstest.SomeOf(t, modes, 1) {
			t.Run(mode+", "+test.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, mode)
				w.aws.SetPageSize(test.page)
				w.iam.DeleteUser(leaver)
				w.iam.AddUser(everything(test.inIAM))
				w.github.Commit(repo, "master", map[string]string{usersFile: strings.Replace(usersText, leaver, test.inFile, 1)}, "Another case")
				for range 12 { // names before theirs, so that pages matter
					w.iam.AddUser(awstest.IAMUser{Name: fmt.Sprintf("aa%d@softwire.com", len(w.iam.Users()))})
				}
				before := w.user(test.inIAM)
				walk := w.walkFor(test.typed)
				w.asksAgain(walk)
				plan := w.look(walk)
				if plan.Target != test.inIAM || !strings.Contains(plan.Summary, test.inIAM) || !slices.Contains(plan.Effects(), "Attach "+awstest.AWSDenyAll+" to IAM user "+test.inIAM+" ("+before.ID+")") {
					t.Errorf("plan %q, %q, effects %q", plan.Target, plan.Summary, plan.Effects())
				}
				w.quarantined(walk)
				if err := walk.Undo(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.same(before)
				walk = w.walkFor(test.typed)
				if report := w.run(walk); !report.OK() || !strings.Contains(report.Summary, test.inIAM) {
					t.Errorf("report %+v", report)
				}
				if _, there := w.iam.User(test.inIAM); there {
					t.Error("the user is still there")
				}
				if told := text(walk.Lines()); test.typed != test.inIAM && strings.Contains(told, test.typed) {
					t.Errorf("the log has the name as it was typed:\n%s", told)
				}
				for _, c := range w.aws.Calls() {
					elsewhere := strings.Contains(c.SessionPolicy, `"DeleteElsewhere"`) // of one group, or of one device
					if c.RoleARN == actRole && !elsewhere && !strings.Contains(c.SessionPolicy, "user/"+test.inIAM) {
						t.Errorf("%s with the session policy %s", c.Name(), c.SessionPolicy)
					}
				}
				w.done()
			})
		}
	}
}

func TestRulesAboutNamesGoWithoutCase(t *testing.T) {
	t.Parallel()
	t.Run("two spellings are one lock", func(t *testing.T) {
		t.Parallel()
		card := settings(iamMode).Operation(nil, nil, "")
		lock := func(name string) string { return card.Lock(ops.Request{Inputs: ops.Inputs{"emails": {name}}}) }
		if lock(leaver) != lock(capitals) {
			t.Errorf("locks %q and %q", lock(leaver), lock(capitals))
		}
	})
	t.Run("what is protected is so in every spelling", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, iamMode)
		w.settings.Protected = []string{"Jo.*@digital*"}
		_, err := w.walkFor(capitals).Look(t.Context())
		w.refused(err, ops.Refused, capitals+` is protected by the pattern "Jo.*@digital*"`)
		w.settings.Protected, w.settings.ProtectedTags = nil, map[string]string{"owner": "ann.other@softwire.com"}
		_, err = w.walk().Look(t.Context())
		w.refused(err, ops.Refused, leaver+" is protected by its tag Owner=ann.other@softwire.com.")
	})
	t.Run("without the list of users a spelling can't be told", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, iamMode)
		w.iam.DeleteUser(leaver)
		w.iam.AddUser(everything(capitals))
		w.role(lookRole, strings.Replace(w.fill(w.operation().Access.Look), "iam:ListUsers", "iam:ListRoles", 1))
		_, err := w.walk().Look(t.Context())
		w.refused(err, ops.Unavailable, "AWS refused iam:ListUsers to the role "+lookRole)
	})
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
		{"of 65 characters", strings.Repeat("a", 52) + "@softwire.com", "has 65 characters, and IAM takes 64"},
		{"of very many characters", strings.Repeat("a", 5000) + "@softwire.com", "has 5013 characters, and IAM takes 64"},
		{"in capitals", "Jo.Doe@SOFTWIRE.com", ""},
		{"with an apostrophe", "jo.o'doe@softwire.com", "has an apostrophe behind “jo.o”"},
		{"with two @", "jo@doe@softwire.com", "is not an e-mail address: there is more than one @ in it"},
		{"with two @ and a domain of ours at the end", "jo@example.org@softwire.com", "there is more than one @"},
		{"without a local part", "@softwire.com", "one side of its @ is empty"},
		{"without a domain", "jo.doe@", "one side of its @ is empty"},
		{"that is a local part alone", "jo.doe", "jo.doe is not an e-mail address: there is no @ in it."},
		{"that is empty", "", "is not an e-mail address"},
		{"of a foreign domain", "jo.doe@example.org", "jo.doe@example.org: only addresses at digital.cabinet-office.gov.uk, softwire.com can be removed."},
		{"of a domain below one of ours", "jo.doe@mail.softwire.com", "only addresses at"},
		{"of a domain that ends like one of ours", "jo.doe@notsoftwire.com", "only addresses at"},
		{"of the domain above one of ours", "jo.doe@cabinet-office.gov.uk", "only addresses at"},
		{"with a full stop at its end", "jo.doe@softwire.com.", "jo.doe@softwire.com. has a full stop at the end."},
		{"with a colon at its end", "jo.doe@softwire.com:", "has a colon at the end"},
		{"with a Cyrillic о", "jо.doe@softwire.com", "has the character о (U+043E) behind “j”"},
		{"with a Cyrillic о in the domain", "jo.doe@sоftwire.com", "has the character о (U+043E) behind “jo.doe@s”"},
		{"with the sign for kelvin", "jo.do\u212a@softwire.com", "(U+212A) behind “jo.do”"},
		{"with a full-width @", "jo.doe＠softwire.com", "has a full-width @ behind “jo.doe”"},
		{"with a zero-width space", "jo.\u200bdoe@softwire.com", "jo.doe@softwire.com has a zero-width space behind “jo.”"},
		{"with a zero-width space at its end", "jo.doe@softwire.com\u200b", "jo.doe@softwire.com has a zero-width space at the end"},
		{"with a byte order mark before it", "\ufeffjo.doe@softwire.com", "has a byte order mark at the beginning"},
		{"with a space", "jo doe@softwire.com", "has a space behind “jo”"},
		{"with a newline at its end", "jo.doe@softwire.com\n", "has a line end at the end"},
		{"with an asterisk", "jo.*@softwire.com", "has an asterisk"},
		{"with a question mark", "jo.d?e@softwire.com", "has a question mark"},
		{"with a slash", "people/jo.doe@softwire.com", "has a slash"},
		{"with a value to be filled in", "${account}@softwire.com", "has a dollar sign at the beginning"},
		{"with a byte that is no character", "jo\xff@softwire.com", "has a byte that isn't a character"},
		{"in an angle bracket", "<jo.doe@softwire.com", "has an angle bracket at the beginning"},
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

// People paste more than the address. Where it is clear, it is taken.
func TestPastedAddresses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, pasted string
		want         []string // nil: it is refused
		words        string
	}{
		{"behind a name", "Jo Doe <jo.doe@softwire.com>", []string{"jo.doe@softwire.com"}, ""},
		{"behind a name in quotes, the family name first", `"Doe, Jo" <jo.doe@softwire.com>`, []string{"jo.doe@softwire.com"}, ""},
		{"several of an address book", "Jo Doe <jo.doe@softwire.com>; Ann Other <ann.other@softwire.com>", []string{"jo.doe@softwire.com", "ann.other@softwire.com"}, ""},
		{"as Slack writes it", "<mailto:jo.doe@softwire.com|jo.doe@softwire.com>", []string{"jo.doe@softwire.com"}, ""},
		{"behind a name, as Slack sends it from a command", "Jo Doe &lt;jo.doe@softwire.com&gt;", []string{"jo.doe@softwire.com"}, ""},
		{"a link behind a name, as Slack sends it from a command", "Jo Doe &lt;<mailto:jo.doe@softwire.com|jo.doe@softwire.com>&gt;; ann.other@softwire.com", []string{"jo.doe@softwire.com", "ann.other@softwire.com"}, ""},
		{"as Slack writes it without a label", "<mailto:jo.doe@softwire.com>", []string{"jo.doe@softwire.com"}, ""},
		{"as Slack writes it, with capitals in the label", "<mailto:jo.doe@softwire.com|Jo.Doe@softwire.com>", []string{"jo.doe@softwire.com"}, ""},
		{"a link with a subject", "mailto:jo%2Bx@softwire.com?subject=Hello", []string{"jo+x@softwire.com"}, ""},
		{"a link that shows another address", "<mailto:jo.doe@softwire.com|ann.other@softwire.com>", nil, "angle bracket"},
		{"with capitals, which stay", "Jo.Doe@SoftWire.com", []string{"Jo.Doe@SoftWire.com"}, ""},
		{"two with a word between", "jo.doe@softwire.com and ann.other@softwire.com", []string{"jo.doe@softwire.com", "ann.other@softwire.com"}, ""},
		{"three with a comma and a word", "a@softwire.com, b@softwire.com, and c@softwire.com", []string{"a@softwire.com", "b@softwire.com", "c@softwire.com"}, ""},
		{"with commas, semicolons, lines and hard spaces", "a@softwire.com,b@softwire.com;c@softwire.com\r\nd@softwire.com\u00a0e@softwire.com", []string{"a@softwire.com", "b@softwire.com", "c@softwire.com", "d@softwire.com", "e@softwire.com"}, ""},
		{"in round brackets", "(jo.doe@softwire.com)", []string{"jo.doe@softwire.com"}, ""},
		{"in quotes", "“jo.doe@softwire.com”", []string{"jo.doe@softwire.com"}, ""},
		{"a name without brackets around the address", "Jo jo.doe@softwire.com", nil, "Jo is not an e-mail address"},
		{"a word alone", "and", nil, "and is not an e-mail address"},
		{"a word at the end", "jo.doe@softwire.com and", nil, "and is not an e-mail address"},
		{"a name without an address", "jo.doe@softwire.com Jo Doe", nil, "Jo is not an e-mail address"},
		{"with a full stop at the end", "jo.doe@softwire.com.", nil, "a full stop at the end"},
		{"with a zero-width space", "jo.doe@\u200bsoftwire.com", nil, "a zero-width space behind “jo.doe@”"},
		{"the same twice", "jo.doe@softwire.com Jo.Doe@softwire.com", nil, "stands here twice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			card := settings(iamMode).Operation(nil, nil, "")
			words := strings.FieldsFunc(test.pasted, func(r rune) bool { return strings.ContainsRune(" \t\r\n,;", r) })
			for _, typed := range [][]string{words, {test.pasted}} {
				inputs, wrong := card.Fill(ops.Inputs{"emails": typed, "reason": {"left"}, "confirmed": {"yes"}})
				if test.want == nil && !strings.Contains(wrong["emails"], test.words) {
					t.Errorf("the form says %q, want %q", wrong["emails"], test.words)
				} else if diff := cmp.Diff(test.want, inputs["emails"]); test.want != nil && (diff != "" || len(wrong) > 0) {
					t.Errorf("the form takes (-want +got):\n%s%v", diff, wrong)
				}
			}
			if inputs, err := card.Words(words); test.want != nil && (err != nil || !slices.Equal(inputs["emails"], test.want)) {
				t.Errorf("the command takes %q, %v", inputs["emails"], err)
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
		{"a file of users in HCL's own syntax", func(s *removeuser.Settings) { s.UsersFile = "terraform/users.tf" }, []string{"users_file: "}},
		{"a file of members in HCL's own syntax", func(s *removeuser.Settings) { s.MembersFile = "terraform/members.tf" }, []string{"members_file: "}},
		{"a file of HCL where Terraform owns nobody", func(s *removeuser.Settings) { s.Users, s.UsersFile = "iam", "users.tf" }, nil},
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

// A line that holds no address is no name of the owner of the next one: the person it
// names would be left out without a word.
func TestAnAddressWithoutItsHostIsNotTakenForAName(t *testing.T) {
	t.Parallel()
	card := settings(iamMode).Operation(nil, nil, "")
	_, wrong := card.Fill(ops.Inputs{"emails": {"jo.doe\nAnn Other <ann.other@softwire.com>"}, "reason": {"left"}, "confirmed": {"yes"}})
	if !strings.Contains(wrong["emails"], "jo.doe is not an e-mail address") {
		t.Errorf("the form says %q", wrong["emails"])
	}
}
