// Package shim hands out the random provider's constructor, which upstream keeps internal: a module whose
// path lies below upstream's may import it.
package shim

import (
	"github.com/hashicorp/terraform-plugin-framework/provider"

	upstream "github.com/terraform-providers/terraform-provider-random/internal/provider"
)

// Version is stamped by the build.
var Version = "0.0.0"

// New returns the random provider.
func New() provider.Provider {
	return upstream.New()
}
