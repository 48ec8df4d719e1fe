//! Bench: what the kernel costs at the scale of a large venue, beside the limits of the machine.

pub mod machine;
