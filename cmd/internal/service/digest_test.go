package service_test

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/cmd/internal/service"
	"github.com/aws-root-account/rootbot/ops/catalog"
	"github.com/aws-root-account/rootbot/ops/deleteaccount"
)

func digest(t *testing.T, o service.OperationConfig) string {
	t.Helper()
	d, err := o.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// leaves calls fn for each value within v that can be set, once it is another one,
// and then puts it back.
func leaves(t *testing.T, name string, v reflect.Value, fn func(name string)) {
	t.Helper()
	before := reflect.New(v.Type()).Elem()
	before.Set(v)
	defer func() { v.Set(before) }()
	switch v.Kind() {
	case reflect.Pointer:
		if zone, ok := v.Interface().(*time.Location); ok {
			v.Set(reflect.ValueOf(time.FixedZone(zone.String()+"'s other", 0)))
			fn(name)
			return
		}
		leaves(t, name, v.Elem(), fn)
	case reflect.Struct:
		for i := range v.NumField() {
			leaves(t, name+"."+v.Type().Field(i).Name, v.Field(i), fn)
		}
	case reflect.Slice:
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
		fn(name)
	case reflect.Map:
		other := reflect.MakeMap(v.Type())
		other.SetMapIndex(reflect.Zero(v.Type().Key()), reflect.Zero(v.Type().Elem()))
		v.Set(other)
		fn(name)
	case reflect.String:
		v.SetString(v.String() + "'s other")
		fn(name)
	case reflect.Bool:
		v.SetBool(!v.Bool())
		fn(name)
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
		fn(name)
	case reflect.Float64:
		v.SetFloat(v.Float() + 1)
		fn(name)
	default:
		t.Fatalf("%s: this test knows no %s", name, v.Kind())
	}
}

// Every setting of every operation counts, and every term.
func TestADigestIsOfAllSettings(t *testing.T) {
	t.Parallel()
	for _, settings := range catalog.All() {
		t.Run(settings.Name(), func(t *testing.T) {
			t.Parallel()
			o := &service.OperationConfig{Settings: settings, Terms: request.DefaultTerms()}
			seen := map[string]string{digest(t, *o): "as it was"}
			n := 0
			differs := func(name string) {
				d := digest(t, *o)
				if other, twice := seen[d]; twice {
					t.Errorf("with another %s the digest is the same as with %s", name, other)
				}
				seen[d] = name
				n++
			}
			leaves(t, "settings", reflect.ValueOf(o.Settings).Elem(), differs)
			leaves(t, "terms", reflect.ValueOf(&o.Terms).Elem(), differs)
			leaves(t, "break_glass", reflect.ValueOf(&o.BreakGlass).Elem(), differs)
			leaves(t, "fresh_proof", reflect.ValueOf(&o.FreshProof).Elem(), differs)
			if seen[digest(t, *o)] != "as it was" || n < 10 {
				t.Errorf("after %d others the digest is that of %s", n, seen[digest(t, *o)])
			}
		})
	}
}

func TestADigestIsOfWhatTheSettingsMean(t *testing.T) {
	t.Parallel()
	of := func(text string) map[string]string {
		config, err := service.ParseConfig("rootbot.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for _, o := range config.Operations {
			all[o.Settings.Name()] = digest(t, o)
		}
		return all
	}
	want := of(head + syncs)
	if len(want) != 1 {
		t.Fatalf("the digests are %v", want)
	}
	for _, test := range []struct {
		name, text string
		same       bool
	}{
		{"a comment", head + syncs + "    # as agreed\n", true},
		{"a default that is written out", head + syncs + "    timeout: 300s\n    expiry: 72h\n", true},
		{"the settings of something else", head + "identities: [{slack: U0TTER, github: otter}]\n" + syncs, true},
		{"who may have something run alone", head + "break_glass: [otter]\n" + syncs, false},
		{"the proof that a decision takes", strings.Replace(head, "github: {", "github: {client_id: Iv23liAbCdEfGhIjKlMn, ", 1) + "fresh_proof: 10m\n" + syncs, false},
		{"the default in other words", head + "working_hours: {from: \"09:00\", to: \"18:00\", zone: Europe/London}\n" + syncs, true},
		{"a setting", head + syncs + "    timeout: 301s\n", false},
		{"a term", head + syncs + "    approvals: 1\n", false},
		{"the hours of reminders", head + "working_hours: {from: \"08:00\"}\n" + syncs, false},
		{"their zone", head + "working_hours: {zone: Europe/Paris}\n" + syncs, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := of(test.text); (fmt.Sprint(got) == fmt.Sprint(want)) != test.same {
				t.Errorf("the digests are %v, and were %v", got, want)
			}
		})
	}
}

func TestADigestIsOfTheSamePeopleInAnyOrderAndCase(t *testing.T) {
	t.Parallel()
	of := func(people ...string) string {
		return digest(t, service.OperationConfig{Settings: deleteaccount.Defaults(), BreakGlass: people})
	}
	if of("otter", "Badger") != of("badger", "otter") {
		t.Error("the order or the case of logins changes the digest")
	}
	if of("otter") == of("badger") {
		t.Error("other people have the same digest")
	}
}

func TestWhatCantBeWrittenDownHasNoDigest(t *testing.T) {
	t.Parallel()
	settings := deleteaccount.Defaults()
	settings.WarnSpend = math.NaN()
	if d, err := (service.OperationConfig{Settings: settings}).Digest(); err == nil || !strings.Contains(err.Error(), "operations.delete-account") {
		t.Errorf("the digest is %q, %v", d, err)
	}
}
