//! The pure machine, exhaustively explored.
