package terraform_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops/terraform"
)

// read reads files: name, text, ….
func read(files ...string) *terraform.Config {
	var all []terraform.File
	for i := 0; i < len(files); i += 2 {
		all = append(all, terraform.File{Path: files[i], Text: []byte(files[i+1])})
	}
	return terraform.Read(all)
}

// Values are worked out as far as the files tell them, and no further.
func TestValues(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, value string   // of an attribute
		rest        string   // of the file
		want        string   // empty: it isn't known
		parts       []string // of one that isn't known
	}{
		{"a text", `"a"`, "", "a", nil},
		{"a local of a local", `local.a`, "locals {\n a = \"x-${local.b}\"\n b = upper(\"y\")\n}", "x-Y", nil},
		{"a part of a local", `local.a["k"].n[1]`, "locals {\n a = { k = { n = [\"p\", \"q\"] } }\n}", "q", nil},
		{"a variable's default", `var.a`, "variable \"a\" {\n default = \"d\"\n}", "d", nil},
		{"a variable without one", `var.a`, "variable \"a\" {}", "", nil},
		{"a part that is known beside one that isn't", `local.a.known`, "locals {\n a = { known = \"k\", other = data.x.y.z }\n}", "k", nil},
		{"replace by a regular expression", `replace("a1b", "/[0-9]/", "-")`, "", "a-b", nil},
		{"replace with one that is none", `replace("a1b", "/[/", "-")`, "", "", []string{"a1b", "/[/", "-"}},
		{"a value that is called sensitive", `nonsensitive(sensitive("s"))`, "", "s", nil},
		{"try and a condition", `try(local.none.x, true ? "yes" : "no")`, "locals {\n none = {}\n}", "yes", nil},
		{"a function that isn't known here", `templatefile("a.tpl", { x = "y" })`, "", "", []string{"a.tpl"}},
		{"a function that gets what it can't take", `element([], 0)`, "", "", []string{"0"}},
		{"a template with a secret", `"aws+${data.s.x.y}@${local.d}"`, "locals {\n d = \"example.org\"\n}", "", []string{"aws+", "@", "example.org"}},
		{"a local that is made with a secret", `local.a`, "locals {\n a = format(\"%s-%s\", data.s.x.y, \"pond\")\n}", "", []string{"%s-%s", "pond"}},
		{"itself", `local.a`, "locals {\n a = local.a\n}", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := read("x.tf", "resource \"r\" \"x\" {\n name = "+test.value+"\n}\n"+test.rest+"\n")
			if len(c.Unread) > 0 {
				t.Fatal(c.Unread)
			}
			all := c.Resources("r", "name")
			if len(all) != 1 || all[0].Address != "r.x" {
				t.Fatalf("resources %+v", all)
			}
			got := all[0].Texts["name"]
			if got.Value != test.want || got.Known != (test.want != "") || got.Place.String() != "x.tf:2" {
				t.Errorf("got %+v", got)
			}
			if diff := cmp.Diff(test.parts, got.Parts); diff != "" {
				t.Errorf("parts (-want +got):\n%s", diff)
			}
		})
	}
}

// for_each and count make several of one block, and a folder is a configuration of
// its own.
func TestInstances(t *testing.T) {
	t.Parallel()
	resource := func(with string) string {
		name := `"none"`
		switch {
		case strings.HasPrefix(with, "for_each"):
			name = "each.key"
		case with != "":
			name = `"${count.index}"`
		}
		return "resource \"r\" \"x\" {\n " + with + "\n name = " + name + "\n}\n"
	}
	for _, test := range []struct {
		name  string
		files []string
		want  string // addresses with names
		why   string // of the first
	}{
		{"one", []string{"a/x.tf", resource("")}, "r.x=none", ""},
		{"a map", []string{"a/x.tf", resource("for_each = { a = 1, b = var.b }")}, `r.x["a"]=a r.x["b"]=b`, ""},
		{"a set", []string{"a/x.tf", resource(`for_each = toset(["a", "b"])`)}, `r.x["a"]=a r.x["b"]=b`, ""},
		{"a count", []string{"a/x.tf", resource("count = 2")}, "r.x[0]=0 r.x[1]=1", ""},
		{"a count of none", []string{"a/x.tf", resource("count = 0")}, "", ""},
		{"a count that isn't known", []string{"a/x.tf", resource("count = var.n")}, "r.x=", "its count depends on more than these files"},
		{"a map that isn't known", []string{"a/x.tf", resource("for_each = local.m")}, "r.x=", "its for_each depends on more than these files"},
		{"a local of another folder", []string{"a/x.tf", resource("for_each = local.m"), "b/y.tf", "locals {\n m = {}\n}\n"}, "r.x=", "its for_each depends on more than these files"},
		{"values of variables, which count more than defaults", []string{"a/x.tf", resource("count = var.n") + "variable \"n\" {\n default = 5\n}\n", "a/z.auto.tfvars", "n = 1\n", "a/other.tfvars", "n = 3\n"}, "r.x[0]=0", ""},
		{"JSON", []string{"a/x.tf.json", `{"resource": {"r": {"x": {"for_each": "${toset([\"a\"])}", "name": "${each.value}"}}}, "//": 1}`}, `r.x["a"]=a`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			all := read(test.files...).Resources("r", "name")
			for _, r := range all {
				got = append(got, r.Address+"="+r.Texts["name"].Value)
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if len(all) > 0 && all[0].Why != test.why {
				t.Errorf("why %q, want %q", all[0].Why, test.why)
			}
		})
	}
}

// An unknown text may be what fits the known pieces of it.
func TestMayBe(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, value, text string
		want              bool
	}{
		{"the beginning and the end fit", `"pond-${var.x}-dev"`, "Pond-Monitoring-DEV", true},
		{"the end doesn't", `"pond-${var.x}-dev"`, "pond-monitoring-prod", false},
		{"the middle doesn't", `"a-${var.x}-bcd-${var.y}"`, "a-x-bc-y", false},
		{"the middle fits", `"a-${var.x}-bcd-${var.y}"`, "a-x-bcd-y", true},
		{"beginning and end would overlap", `"abc${var.x}bcd"`, "abcd", false},
		{"too little is known to say anything", `"${var.x}-a"`, "x-a", false},
		{"nothing is known", `var.x`, "x", false},
		{"all is known", `"abc"`, "abc", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := read("x.tf", "resource \"r\" \"x\" {\n name = "+test.value+"\n}\n").Resources("r", "name")[0].Texts["name"]
			if got := text.MayBe(test.text); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// FuzzRead looks for a file that ends the program.
func FuzzRead(f *testing.F) {
	f.Add("x.tf", "resource \"r\" \"x\" {\n for_each = toset([local.a])\n name = \"${each.key}\"\n}\nlocals {\n a = local.a\n}\nmodule \"m\" {\n x = [1, { y = null }]\n}\nimport {\n to = r.x[0]\n id = 1\n}\n")
	f.Add("x.tf.json", `{"resource":[{"r":{"x":[{"name":"${local.a}","lifecycle":{"ignore_changes":["name"]}}]}}],"locals":{"a":["${element([],0)}"]},"module":{"m":{"x":{"y":"z"}}},"import":[{"to":"r.x","id":"1"}]}`)
	f.Fuzz(func(_ *testing.T, name, text string) {
		c := read("a/"+name+".tf", text, "a/"+name+".tf.json", text, "a/terraform.tfvars", text)
		c.Resources("r", "name")
		c.Imports()
		c.Modules()
		c.Makers("r")
	})
}
