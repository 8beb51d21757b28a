package crowdtest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/crowdtest"
)

// However busy the machine is, all tests are let in some time, and few of them at
// once.
func TestTheCrowdLetsAllIn(t *testing.T) {
	for i := range 12 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			crowdtest.Enter(t)
			crowdtest.Enter(t) // one that is inside already
		})
	}
}

func TestTimeIsGivenNoFasterThanItGoes(t *testing.T) {
	before, began := crowdtest.Given(), time.Now()
	for crowdtest.Given() < before+200*time.Millisecond {
		<-time.After(10 * time.Millisecond)
	}
	if took := time.Since(began); took < 150*time.Millisecond {
		t.Errorf("200 ms were given in %v", took)
	}
}

func TestAShareIsAPart(t *testing.T) {
	if share, err := crowdtest.Share(); err != nil || share <= 0 || share > 1 {
		t.Errorf("the share is %v, %v", share, err)
	}
}
